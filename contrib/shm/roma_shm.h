/* Client of roma-device's --publish shm:NAME: depth, images and pose of the newest frame, from another program.
 *
 * One file, C99 on 64-bit Linux. In one source file: #define ROMA_SHM_IMPLEMENTATION before the #include, and that
 * before all others. The layout is in docs/shm.md.
 *
 *     struct roma_shm *shm = roma_shm_open("depth");
 *     struct roma_shm_frame frame;
 *     int got;
 *     while ((got = roma_shm_read(shm, 1000, &frame)) >= 0)
 *         if (got == ROMA_SHM_FRAME)
 *             printf("%.3f m\n", frame.depth_m[(frame.height / 2) * frame.width + frame.width / 2]);
 *     puts(roma_shm_error(shm));
 *     roma_shm_close(shm);
 *
 * A handle is for one thread at a time; open one for each. The writer is never held up, whatever a reader does.
 */
#ifndef ROMA_SHM_H
#define ROMA_SHM_H

#if defined(ROMA_SHM_IMPLEMENTATION) && !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { ROMA_SHM_VERSION = 1 };
enum {
    ROMA_SHM_NOTHING = 0,  /* no new frame within the time */
    ROMA_SHM_FRAME = 1,
    ROMA_SHM_ENDED = -1,   /* the writer has ended */
    ROMA_SHM_DIED = -2,    /* the writer is gone without a word, or was never there */
    ROMA_SHM_REFUSED = -3, /* another layout version, no permission, or damage: see roma_shm_error */
};
enum { ROMA_POSE_NONE = 0, ROMA_POSE_OK = 1, ROMA_POSE_DEGRADED = 2, ROMA_POSE_LOST = 3 };

struct roma_shm;

struct roma_shm_frame {
    uint64_t number;      /* 1, 2, 3... of what was published; gaps are frames that this reader was too slow for */
    uint64_t index;       /* 0, 1, 2... of what was processed */
    int64_t timestamp_ns; /* start of the left image's exposure; of live cameras CLOCK_MONOTONIC */
    int64_t skew_ns;      /* how much later the right image was taken */
    uint64_t dropped;     /* frames that were captured and never processed, so far */
    uint32_t width, height;
    uint32_t channels;    /* of the images: 1 grey, 3 BGR */
    /* Rectified images and maps, rows without padding; NULL: not published. NaN: unknown. */
    const uint8_t *left, *right;
    const float *depth_m;      /* metres along Z of the left optical frame (REP 118) */
    const float *disparity_px; /* x_right = x_left - disparity */
    const float *confidence;   /* probability that the match is right */
    uint32_t has_rig;          /* 0: the figures of the rig below are not known */
    double focal_px, baseline_m, cx, cy, disparity_offset_px; /* NaN: not known */
    uint32_t pose_state;       /* ROMA_POSE_...; NONE: odometry does not run */
    uint32_t segment;
    uint32_t has_pose, has_covariance;
    double position_m[3], quaternion_xyzw[4]; /* of the camera in odom: x forward, y left, z up (REP 103, 105) */
    double covariance[36];     /* of position (m), then rotation vector (rad), along the axes of odom */
};

/* Connect to the writer of NAME. NULL only without memory; a writer that is not there shows in roma_shm_read. */
struct roma_shm *roma_shm_open(const char *name);

/* The newest frame not seen yet, copied: pointers stay valid until the next call. Waits timeout_ms for it at most. */
int roma_shm_read(struct roma_shm *shm, int timeout_ms, struct roma_shm_frame *frame);

/* The same without a copy: pointers into the ring, worth something only while roma_shm_intact says so afterwards. */
int roma_shm_peek(struct roma_shm *shm, int timeout_ms, struct roma_shm_frame *frame);

/* 1 if the frame that was peeked at has not been overwritten up to now. */
int roma_shm_intact(const struct roma_shm *shm, const struct roma_shm_frame *frame);

/* Readable when something may be new, for poll() of one's own; -1 where there is no connection. */
int roma_shm_fd(const struct roma_shm *shm);

/* Why there is no more, "" if all is well. */
const char *roma_shm_error(const struct roma_shm *shm);

void roma_shm_close(struct roma_shm *shm);

#ifdef __cplusplus
}
#endif
#endif

#ifdef ROMA_SHM_IMPLEMENTATION
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "roma_shm.h is for little-endian machines"
#endif
#ifndef F_GET_SEALS
#define F_GET_SEALS 1034
#endif

enum { ROMA_SHM_RING = 1, ROMA_SHM_NEW = 2, ROMA_SHM_REFUSAL = 3 };
enum { ROMA_SHM_MESSAGE = 16, ROMA_SHM_LARGEST_MESSAGE = 512, ROMA_SHM_SEAL_SHRINK = 2 };
enum { ROMA_SHM_CHECKED = 1024, ROMA_SHM_NEWEST = 1024, ROMA_SHM_STATE = 1088, ROMA_SHM_PAGE = 4096 };
enum { ROMA_SHM_PLANES = 8, ROMA_SHM_PLANE = 48, ROMA_SHM_HEADER = 2048 };

struct roma_shm {
    int connection, outcome; /* outcome: what every later call says, 0 while all is well */
    uint8_t *ring, *copy;
    size_t ring_bytes, slot_bytes, first_slot;
    uint32_t slots, width, height, planes;
    struct { int field; size_t offset; uint32_t channels; } plane[ROMA_SHM_PLANES];
    uint64_t last;
    char error[ROMA_SHM_LARGEST_MESSAGE];
};

static int roma_shm_fail(struct roma_shm *shm, int outcome, const char *why) {
    if (!shm->outcome) {
        shm->outcome = outcome;
        snprintf(shm->error, sizeof shm->error, "%s", why);
    }
    return shm->outcome;
}

static uint32_t roma_shm_crc(uint32_t crc, const uint8_t *data, size_t bytes) {
    static const uint32_t nibbles[16] = {
        0x00000000u, 0x1db71064u, 0x3b6e20c8u, 0x26d930acu, 0x76dc4190u, 0x6b6b51f4u, 0x4db26158u, 0x5005713cu,
        0xedb88320u, 0xf00f9344u, 0xd6d6a3e8u, 0xcb61b38cu, 0x9b64c2b0u, 0x86d3d2d4u, 0xa00ae278u, 0xbdbdf21cu};
    crc = ~crc;
    for (size_t i = 0; i < bytes; i++) {
        crc = (crc >> 4) ^ nibbles[(crc ^ data[i]) & 15];
        crc = (crc >> 4) ^ nibbles[(crc ^ (uint32_t)(data[i] >> 4)) & 15];
    }
    return ~crc;
}

static uint32_t roma_shm_u32(const uint8_t *at) { uint32_t value; memcpy(&value, at, 4); return value; }
static uint64_t roma_shm_u64(const uint8_t *at) { uint64_t value; memcpy(&value, at, 8); return value; }
static double roma_shm_f64(const uint8_t *at) { double value; memcpy(&value, at, 8); return value; }

static uint64_t roma_shm_acquire(const uint8_t *at) {
    return __atomic_load_n((const uint64_t *)(const void *)at, __ATOMIC_ACQUIRE);
}

static int64_t roma_shm_now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

struct roma_shm *roma_shm_open(const char *name) {
    struct roma_shm *shm = (struct roma_shm *)calloc(1, sizeof *shm);
    struct sockaddr_un address;
    if (!shm) return NULL;
    memset(&address, 0, sizeof address);
    address.sun_family = AF_UNIX;
    /* An address without a file: it begins with a 0. */
    int letters = snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "roma-device/%s", name);
    shm->connection = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)(letters > 0 ? letters : 0));
    if (letters < 0 || (size_t)letters >= sizeof address.sun_path - 1 || shm->connection < 0 ||
        connect(shm->connection, (struct sockaddr *)&address, length) < 0)
        roma_shm_fail(shm, ROMA_SHM_DIED, "nobody publishes under that name: start roma-device run --publish shm:NAME");
    return shm;
}

static void roma_shm_unmap(struct roma_shm *shm) {
    if (shm->ring) munmap(shm->ring, shm->ring_bytes);
    free(shm->copy);
    shm->ring = shm->copy = NULL;
}

void roma_shm_close(struct roma_shm *shm) {
    if (!shm) return;
    roma_shm_unmap(shm);
    if (shm->connection >= 0) close(shm->connection);
    free(shm);
}

const char *roma_shm_error(const struct roma_shm *shm) { return shm->error; }
int roma_shm_fd(const struct roma_shm *shm) { return shm->connection; }

static int roma_shm_read_plane(struct roma_shm *shm, const uint8_t *entry) {
    static const char *const names[] = {"left", "right", "depth", "disparity", "confidence"};
    uint32_t offset = roma_shm_u32(entry + 24), type = roma_shm_u32(entry + 32), channels = roma_shm_u32(entry + 36);
    if ((type != 1 && type != 2) || (channels != 1 && channels != 3) || offset % 4 || offset < ROMA_SHM_HEADER) return -1;
    uint64_t bytes = (uint64_t)shm->width * shm->height * channels * (type == 2 ? 4 : 1);
    if (offset + bytes > shm->slot_bytes) return -1;
    for (int field = 0; field < 5; field++)
        if (!strncmp((const char *)entry, names[field], 24) && (type == 1) == (field < 2)) {
            shm->plane[shm->planes].field = field;
            shm->plane[shm->planes].offset = offset;
            shm->plane[shm->planes++].channels = channels;
        }
    return 0; /* a plane that this client does not know is left alone */
}

/* Takes over a ring; the descriptor is closed. */
static int roma_shm_attach(struct roma_shm *shm, int descriptor) {
    struct stat status;
    uint8_t head[ROMA_SHM_CHECKED];
    int seals = fcntl(descriptor, F_GET_SEALS);
    roma_shm_unmap(shm);
    int fine = seals >= 0 && (seals & ROMA_SHM_SEAL_SHRINK) && fstat(descriptor, &status) == 0 &&
               status.st_size >= ROMA_SHM_PAGE &&
               pread(descriptor, head, sizeof head, 0) == (ssize_t)sizeof head && !memcmp(head, "ROMASHM", 8);
    if (!fine) {
        close(descriptor);
        return roma_shm_fail(shm, ROMA_SHM_REFUSED, "the shared memory is no ring of roma-device");
    }
    if (roma_shm_u32(head + 8) != ROMA_SHM_VERSION) {
        char why[128];
        snprintf(why, sizeof why, "the ring has layout version %u, this program reads version %d: rebuild it with the "
                 "roma_shm.h of that release", (unsigned)roma_shm_u32(head + 8), ROMA_SHM_VERSION);
        close(descriptor);
        return roma_shm_fail(shm, ROMA_SHM_REFUSED, why);
    }
    uint32_t checksum = roma_shm_u32(head + 12);
    memset(head + 12, 0, 4);
    shm->ring_bytes = (size_t)status.st_size;
    shm->slots = roma_shm_u32(head + 24);
    shm->slot_bytes = roma_shm_u32(head + 28);
    shm->first_slot = roma_shm_u32(head + 32);
    shm->width = roma_shm_u32(head + 36);
    shm->height = roma_shm_u32(head + 40);
    shm->planes = 0;
    uint32_t planes = roma_shm_u32(head + 44);
    fine = roma_shm_crc(0, head, sizeof head) == checksum && shm->slots >= 2 && planes <= ROMA_SHM_PLANES &&
           shm->first_slot >= ROMA_SHM_PAGE && shm->slot_bytes >= ROMA_SHM_HEADER && shm->slot_bytes % 8 == 0 &&
           shm->first_slot % 8 == 0 && shm->first_slot + (uint64_t)shm->slots * shm->slot_bytes <= shm->ring_bytes;
    for (uint32_t i = 0; fine && i < planes; i++)
        fine = roma_shm_read_plane(shm, head + 64 + i * ROMA_SHM_PLANE) == 0;
    if (fine) {
        void *mapped = mmap(NULL, shm->ring_bytes, PROT_READ, MAP_SHARED, descriptor, 0);
        shm->ring = mapped == MAP_FAILED ? NULL : (uint8_t *)mapped;
        shm->copy = (uint8_t *)malloc(shm->slot_bytes);
    }
    close(descriptor);
    if (!fine) return roma_shm_fail(shm, ROMA_SHM_REFUSED, "the ring's header is damaged");
    if (!shm->ring || !shm->copy) return roma_shm_fail(shm, ROMA_SHM_REFUSED, "there is no memory to map the ring");
    return 0;
}

/* One message of the writer: 1 heard, 0 nothing there, else the outcome. */
static int roma_shm_hear(struct roma_shm *shm) {
    uint8_t data[ROMA_SHM_LARGEST_MESSAGE];
    union { struct cmsghdr header; char space[CMSG_SPACE(sizeof(int))]; } control;
    struct iovec part = {data, sizeof data - 1};
    struct msghdr message;
    memset(&message, 0, sizeof message);
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = &control;
    message.msg_controllen = sizeof control;
    ssize_t bytes = recvmsg(shm->connection, &message, MSG_CMSG_CLOEXEC);
    if (bytes < 0 && (errno == EAGAIN || errno == EINTR)) return 0;
    if (bytes <= 0) {
        int ended = !shm->ring || (uint32_t)__atomic_load_n((uint32_t *)(void *)(shm->ring + ROMA_SHM_STATE), __ATOMIC_ACQUIRE);
        return ended ? roma_shm_fail(shm, ROMA_SHM_ENDED, "the writer has ended")
                     : roma_shm_fail(shm, ROMA_SHM_DIED, "the writer died");
    }
    int descriptor = -1;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS)
        memcpy(&descriptor, CMSG_DATA(header), sizeof descriptor);
    data[bytes] = 0;
    uint32_t head = bytes >= ROMA_SHM_MESSAGE ? roma_shm_u32(data + 4) : 0; /* version, then kind */
    if (bytes < ROMA_SHM_MESSAGE || memcmp(data, "RSHM", 4) || (head & 0xffff) != ROMA_SHM_VERSION) {
        if (descriptor >= 0) close(descriptor);
        char why[128];
        snprintf(why, sizeof why, "the writer speaks layout version %u, this program version %d: rebuild it with the "
                 "roma_shm.h of that release", (unsigned)(head & 0xffff), ROMA_SHM_VERSION);
        return roma_shm_fail(shm, ROMA_SHM_REFUSED, why);
    }
    if (head >> 16 == ROMA_SHM_REFUSAL) return roma_shm_fail(shm, ROMA_SHM_REFUSED, (char *)data + ROMA_SHM_MESSAGE);
    if (descriptor >= 0) {
        int failed = roma_shm_attach(shm, descriptor);
        if (failed) return failed;
    }
    return 1;
}

static const uint8_t *roma_shm_slot(const struct roma_shm *shm, uint64_t number) {
    return shm->ring + shm->first_slot + (number % shm->slots) * shm->slot_bytes;
}

int roma_shm_intact(const struct roma_shm *shm, const struct roma_shm_frame *frame) {
    if (!shm->ring) return 0;
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    return roma_shm_acquire(roma_shm_slot(shm, frame->number)) == 2 * frame->number;
}

static void roma_shm_fill(const struct roma_shm *shm, const uint8_t *slot, struct roma_shm_frame *frame) {
    uint32_t present = roma_shm_u32(slot + 56);
    memset(frame, 0, sizeof *frame);
    frame->number = roma_shm_u64(slot + 16);
    frame->index = roma_shm_u64(slot + 24);
    frame->timestamp_ns = (int64_t)roma_shm_u64(slot + 32);
    frame->skew_ns = (int64_t)roma_shm_u64(slot + 40);
    frame->dropped = roma_shm_u64(slot + 48);
    frame->width = shm->width;
    frame->height = shm->height;
    for (uint32_t i = 0; i < shm->planes; i++) {
        const uint8_t *pixels = slot + shm->plane[i].offset;
        if (!(present >> shm->plane[i].field & 1)) continue;
        switch (shm->plane[i].field) {
        case 0: frame->left = pixels; frame->channels = shm->plane[i].channels; break;
        case 1: frame->right = pixels; frame->channels = shm->plane[i].channels; break;
        case 2: frame->depth_m = (const float *)(const void *)pixels; break;
        case 3: frame->disparity_px = (const float *)(const void *)pixels; break;
        default: frame->confidence = (const float *)(const void *)pixels; break;
        }
    }
    frame->has_rig = roma_shm_u32(slot + 60);
    frame->focal_px = roma_shm_f64(slot + 64);
    frame->baseline_m = roma_shm_f64(slot + 72);
    frame->cx = roma_shm_f64(slot + 80);
    frame->cy = roma_shm_f64(slot + 88);
    frame->disparity_offset_px = roma_shm_f64(slot + 96);
    frame->pose_state = roma_shm_u32(slot + 104);
    frame->segment = roma_shm_u32(slot + 108);
    frame->has_pose = roma_shm_u32(slot + 128);
    frame->has_covariance = roma_shm_u32(slot + 132);
    memcpy(frame->position_m, slot + 136, sizeof frame->position_m);
    memcpy(frame->quaternion_xyzw, slot + 160, sizeof frame->quaternion_xyzw);
    memcpy(frame->covariance, slot + 192, sizeof frame->covariance);
}

int roma_shm_peek(struct roma_shm *shm, int timeout_ms, struct roma_shm_frame *frame) {
    int64_t end_ms = roma_shm_now_ms() + timeout_ms;
    for (;;) {
        int heard = shm->outcome;
        while (!heard && (heard = roma_shm_hear(shm)) == 1) heard = 0;
        uint64_t newest = shm->ring ? roma_shm_acquire(shm->ring + ROMA_SHM_NEWEST) : 0;
        if (newest > shm->last && shm->outcome != ROMA_SHM_REFUSED) {
            shm->last = newest;
            roma_shm_fill(shm, roma_shm_slot(shm, newest), frame);
            if (frame->number == newest && roma_shm_intact(shm, frame)) return ROMA_SHM_FRAME;
            continue;
        }
        if (shm->outcome) return shm->outcome;
        int64_t left_ms = end_ms - roma_shm_now_ms();
        struct pollfd waiting = {shm->connection, POLLIN, 0};
        if (left_ms <= 0 || poll(&waiting, 1, (int)left_ms) == 0) return ROMA_SHM_NOTHING;
    }
}

int roma_shm_read(struct roma_shm *shm, int timeout_ms, struct roma_shm_frame *frame) {
    int got;
    while ((got = roma_shm_peek(shm, timeout_ms, frame)) == ROMA_SHM_FRAME) {
        memcpy(shm->copy, roma_shm_slot(shm, frame->number), shm->slot_bytes);
        if (!roma_shm_intact(shm, frame)) continue;
        if (roma_shm_crc(0, shm->copy + 16, ROMA_SHM_HEADER - 16) != roma_shm_u32(shm->copy + 8))
            return roma_shm_fail(shm, ROMA_SHM_REFUSED, "a frame does not have its checksum: the ring is damaged");
        roma_shm_fill(shm, shm->copy, frame);
        return ROMA_SHM_FRAME;
    }
    return got;
}
#endif
