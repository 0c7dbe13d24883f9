"""Starts roma-device as a process that publishes to ROS 2: ros2 launch stereo.launch.py camera:=v4l2:LEFT,RIGHT.

The transform from the robot to the camera is the robot's own: here it is an example to change.
"""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, ExecuteProcess
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node


def generate_launch_description():
    defaults = {"config": "stereo.yaml", "camera": "simulated:room", "publish": "ros2", "task": "depth,pose"}
    arguments = [DeclareLaunchArgument(name, default_value=value) for name, value in defaults.items()]
    words = ["roma-device", "run"]
    for name in defaults:
        words += [f"--{name}", LaunchConfiguration(name)]
    mounting = Node(
        package="tf2_ros",
        executable="static_transform_publisher",
        arguments=["--x", "0.1", "--z", "0.2", "--frame-id", "base_link", "--child-frame-id", "camera_link"],
    )
    stereo = ExecuteProcess(cmd=words, output="screen", sigterm_timeout="5")
    return LaunchDescription([*arguments, stereo, mounting])
