// Prints the depth of one pixel of each frame: the C++ convenience.
#define ROMA_SHM_IMPLEMENTATION
#include "../../../contrib/shm/roma_shm.hpp"
#include <iostream>

int main(int, char **argv) try {
    roma::SharedDepth shared(argv[1]);
    while (auto frame = shared.next(std::chrono::seconds(20)))
        std::cout << frame->index << ' ' << frame->depth_m(3, 2) << ' ' << frame->point(3, 2).x << std::endl;
    return shared.ended() ? 0 : 1;
} catch (const std::runtime_error &error) {
    std::cout << error.what() << std::endl;
    return 2;
}
