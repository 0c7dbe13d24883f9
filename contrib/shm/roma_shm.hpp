// C++17 on top of roma_shm.h: handles that close themselves, errors as exceptions.
//
//     #define ROMA_SHM_IMPLEMENTATION      // in one source file
//     #include "roma_shm.hpp"
//
//     roma::SharedDepth shared("depth");
//     while (auto frame = shared.next(std::chrono::seconds(1)))
//         std::cout << frame->depth_m(320, 200) << " m\n";
#ifndef ROMA_SHM_HPP
#define ROMA_SHM_HPP

#include "roma_shm.h"

#include <chrono>
#include <cmath>
#include <limits>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

namespace roma {

// The newest frame; valid until the next one is taken from the same SharedDepth.
class Frame : public roma_shm_frame {
public:
    struct Point { float x, y, z; };  // x right, y down, z forward in the left optical frame, metres

    // Metres along Z, NaN where unknown or outside of the image.
    float depth_m(unsigned x, unsigned y) const { return at(roma_shm_frame::depth_m, x, y); }
    float confidence(unsigned x, unsigned y) const { return at(roma_shm_frame::confidence, x, y); }
    float disparity_px(unsigned x, unsigned y) const { return at(roma_shm_frame::disparity_px, x, y); }

    // The point of a pixel; its coordinates are NaN where the depth is not known.
    Point point(unsigned x, unsigned y) const {
        float z = depth_m(x, y), focal = static_cast<float>(focal_px);
        return {(static_cast<float>(x) - static_cast<float>(cx)) * z / focal,
                (static_cast<float>(y) - static_cast<float>(cy)) * z / focal, z};
    }

private:
    float at(const float *plane, unsigned x, unsigned y) const {
        bool inside = plane && x < width && y < height;
        return inside ? plane[static_cast<std::size_t>(y) * width + x] : std::numeric_limits<float>::quiet_NaN();
    }
};

// Reads what roma-device run --publish shm:NAME gives. For one thread at a time.
class SharedDepth {
public:
    explicit SharedDepth(const std::string &name) : shm_(roma_shm_open(name.c_str()), roma_shm_close) {
        if (!shm_) throw std::bad_alloc();
    }

    // The newest frame not seen yet; none where nothing came in time or the writer has ended (see ended()).
    // Throws std::runtime_error where there is no writer, it died or speaks another version.
    std::optional<Frame> next(std::chrono::milliseconds timeout) {
        Frame frame;
        int got = roma_shm_read(shm_.get(), static_cast<int>(timeout.count()), &frame);
        ended_ = got == ROMA_SHM_ENDED;
        if (got == ROMA_SHM_FRAME) return frame;
        if (got == ROMA_SHM_NOTHING || ended_) return std::nullopt;
        throw std::runtime_error(roma_shm_error(shm_.get()));
    }

    bool ended() const { return ended_; }

private:
    std::unique_ptr<roma_shm, void (*)(roma_shm *)> shm_;
    bool ended_ = false;
};

}  // namespace roma
#endif
