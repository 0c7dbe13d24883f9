/* Two synchronized sensors of an Axera board as a producer of --camera pipe:SOCKET: NV12 of their ISP pipelines.
 *
 * Compile it with the board's SDK, which is not part of this: gcc -I$AX_SDK/include -c ax_vin.c
 * The board's own sample brings the sensors up (one as AX_SNS_SYNC_MASTER, one as AX_SNS_SYNC_SLAVE, YUV channel with
 * a frame depth of 2 or more), then calls roma_ax_vin_feed in a thread of its own. Has not run on a board.
 */
#define ROMA_PIPE_IMPLEMENTATION
#include "roma_pipe.h"

#include "ax_sys_api.h"
#include "ax_vin_api.h"

enum { SLOTS = 8, PATIENCE_MS = 200 };

/* PTS count microseconds of the SDK's own clock: how far that is from CLOCK_MONOTONIC is asked for each frame. */
static uint64_t monotonic_ns(uint64_t pts_us) {
    AX_U64 now_us = 0;
    AX_SYS_GetCurPTS(&now_us);
    return roma_pipe_now_ns() - (now_us - pts_us) * 1000u;
}

/* The ISP's memory into a slot: the luma plane is all that is read at the other end. */
static int copy_luma(uint8_t *slot, const AX_VIDEO_FRAME_T *image, size_t bytes) {
    void *pixels = AX_SYS_MmapCache(image->u64PhyAddr[0], (AX_U32)bytes);
    if (!pixels) return -1;
    AX_SYS_MinvalidateCache(image->u64PhyAddr[0], pixels, (AX_U32)bytes);
    memcpy(slot, pixels, bytes);
    AX_SYS_Munmap(pixels, (AX_U32)bytes);
    return 0;
}

static void feed_one(struct roma_pipe *pipe, uint32_t side, const AX_VIDEO_FRAME_T *image, size_t slot_bytes) {
    size_t bytes = (size_t)image->u32PicStride[0] * image->u32Height;
    int slot = roma_pipe_slot(pipe);
    if (slot < 0 || bytes > slot_bytes || copy_luma(roma_pipe_pixels(pipe, slot), image, bytes) < 0) return;
    struct roma_pipe_frame frame = {.slot = slot, .side = side, .sequence = image->u64SeqNum,
        .timestamp_ns = monotonic_ns(image->u64PTS), .width = image->u32Width, .height = image->u32Height,
        .stride = image->u32PicStride[0], .format = "NV12"};
    roma_pipe_send(pipe, &frame);
}

/* Until *stop: frames of the two ISP pipelines, left first. slot_bytes is the largest stride x height. Returns 0. */
int roma_ax_vin_feed(const char *path, const AX_U8 pipelines[2], size_t slot_bytes, const volatile int *stop) {
    struct roma_pipe *pipe = roma_pipe_open(path, "AX_VIN", SLOTS, slot_bytes);
    if (!pipe) return -1;
    while (!*stop) {
        for (uint32_t side = 0; side < 2; side++) {
            AX_IMG_INFO_T image;
            memset(&image, 0, sizeof image);
            if (AX_VIN_GetYuvFrame(pipelines[side], AX_VIN_CHN_ID_MAIN, &image, PATIENCE_MS) != 0) continue;
            feed_one(pipe, side, &image.tFrameInfo.stVFrame, slot_bytes);
            AX_VIN_ReleaseYuvFrame(pipelines[side], AX_VIN_CHN_ID_MAIN, &image);
        }
    }
    roma_pipe_close(pipe);
    return 0;
}
