"""Subscribes with rclpy to depth and camera_info, and looks at every number: ``ros_subscriber COUNT``."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np


def main(count: int) -> None:
    import rclpy
    from rclpy.qos import qos_profile_sensor_data
    from sensor_msgs.msg import CameraInfo, Image

    rclpy.init()
    node, whole = rclpy.create_node("judge"), 0
    infos: list[Any] = []

    def look(message: Any) -> None:
        nonlocal whole
        depth_m = np.frombuffer(bytes(message.data), np.float32)
        whole += message.encoding == "32FC1" and bool((depth_m == depth_m[0]).all()) and depth_m.size > 0

    node.create_subscription(Image, "/stereo/depth/image_rect", look, qos_profile_sensor_data)
    node.create_subscription(CameraInfo, "/stereo/right/camera_info", infos.append, qos_profile_sensor_data)
    while whole < count or not infos:
        rclpy.spin_once(node, timeout_sec=1.0)
    assert infos[0].p[3] == -40.0 * 0.1
    for each in node.get_publishers_info_by_topic("/stereo/depth/image_rect"):
        print(each.topic_type, each.topic_type_hash)
    print(f"{count} whole")
    rclpy.shutdown()


if __name__ == "__main__":
    main(int(sys.argv[1]))
