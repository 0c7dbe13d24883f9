/* The C client as a producer of both eyes: feeder SOCKET FRAMES. Exit code 0 where all were taken. */
#define ROMA_PIPE_IMPLEMENTATION
#include "roma_pipe.h"

enum { WIDTH = 64, HEIGHT = 48, STRIDE = 80 };

static void paint(uint8_t *pixels, uint64_t seed) {
    for (unsigned i = 0; i < STRIDE * HEIGHT; i++) {
        seed = seed * 6364136223846793005ull + 1442695040888963407ull;
        pixels[i] = (uint8_t)(seed >> 56);
    }
}

int main(int count, char **words) {
    struct timespec pause = {0, 5000000};
    int left_to_send = count > 2 ? atoi(words[2]) : 0, tries = 2000;
    struct roma_pipe *pipe = roma_pipe_open(count > 1 ? words[1] : "", "test in C", 4, STRIDE * HEIGHT * 3 / 2);
    if (!pipe) return 2;
    for (uint64_t number = 0; left_to_send > 0 && tries-- > 0; number++) {
        uint64_t now_ns = roma_pipe_now_ns();
        for (uint32_t side = 0; side < 2; side++) {
            int slot = roma_pipe_slot(pipe);
            if (slot < 0) continue;
            paint(roma_pipe_pixels(pipe, slot), number + side);
            struct roma_pipe_frame frame = {.slot = slot, .side = side, .sequence = number, .timestamp_ns = now_ns,
                .width = WIDTH, .height = HEIGHT, .stride = STRIDE, .format = "NV12"};
            if (roma_pipe_send(pipe, &frame) == 0 && side == 1) left_to_send--;
        }
        nanosleep(&pause, NULL);
    }
    fprintf(stderr, "%s\n", roma_pipe_error(pipe));
    roma_pipe_close(pipe);
    return left_to_send == 0 ? 0 : 1;
}
