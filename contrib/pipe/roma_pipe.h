/* Client of roma-device's --camera pipe:SOCKET: sends images of one or both eyes from a program of your own.
 *
 * One file, C99 on Linux. In one source file: #define ROMA_PIPE_IMPLEMENTATION before the #include, and that
 * before all others.
 * The wire format is in docs/pipe.md.
 *
 *     struct roma_pipe *pipe = roma_pipe_open("/run/roma-device/camera.sock", "left sensor", 4, 640 * 400);
 *     int slot = roma_pipe_slot(pipe);             // -1: nobody listens or all are lent: leave this frame out
 *     if (slot >= 0) {
 *         memcpy(roma_pipe_pixels(pipe, slot), pixels, 640 * 400);
 *         struct roma_pipe_frame frame = {.slot = slot, .side = ROMA_PIPE_LEFT, .sequence = n,
 *             .timestamp_ns = ns, .width = 640, .height = 400, .stride = 640, .format = "GREY"};
 *         roma_pipe_send(pipe, &frame);
 *     }
 *
 * Not for several threads at once. No function waits.
 */
#ifndef ROMA_PIPE_H
#define ROMA_PIPE_H

#if defined(ROMA_PIPE_IMPLEMENTATION) && !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif
#include <stddef.h>
#include <stdint.h>

enum { ROMA_PIPE_LEFT = 0, ROMA_PIPE_RIGHT = 1 };
enum { ROMA_PIPE_DAMAGED = 1 };
enum { ROMA_PIPE_MOST_SLOTS = 64 };

struct roma_pipe;

struct roma_pipe_frame {
    int slot;
    uint32_t side;
    uint64_t sequence;     /* counts frames that were left out too */
    uint64_t timestamp_ns; /* CLOCK_MONOTONIC, start of exposure */
    uint32_t width, height;
    uint32_t stride;       /* bytes from one row to the next */
    const char *format;    /* "GREY", "NV12" or "YUYV" */
    uint32_t flags;
    uint32_t offset;       /* bytes from the start of the slot to the first pixel */
};

/* NULL (see errno) where there is no memory; whether anybody listens shows later. */
struct roma_pipe *roma_pipe_open(const char *path, const char *name, unsigned slots, size_t slot_bytes);

/* A free slot, or -1: connects, and connects again, when it must. */
int roma_pipe_slot(struct roma_pipe *pipe);

/* Memory of a slot, slot_bytes of it. */
uint8_t *roma_pipe_pixels(struct roma_pipe *pipe, int slot);

/* 0 where the frame was taken, else -1. A slot with both images is sent twice, with offsets. */
int roma_pipe_send(struct roma_pipe *pipe, const struct roma_pipe_frame *frame);

/* What went wrong last, "" if nothing did. */
const char *roma_pipe_error(const struct roma_pipe *pipe);

void roma_pipe_close(struct roma_pipe *pipe);

#endif

#ifdef ROMA_PIPE_IMPLEMENTATION
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { ROMA_PIPE_HELLO = 1, ROMA_PIPE_FRAME = 2, ROMA_PIPE_RELEASE = 3, ROMA_PIPE_REFUSAL = 4 };
enum { ROMA_PIPE_VERSION = 1, ROMA_PIPE_MESSAGE = 64, ROMA_PIPE_ANSWER = 256 };
#define ROMA_PIPE_RETRY_NS 250000000ull

struct roma_pipe {
    char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
    char name[40];
    char error[ROMA_PIPE_ANSWER];
    unsigned slots;
    size_t slot_bytes;
    int memory, connection;
    uint8_t *pixels;
    unsigned lent[ROMA_PIPE_MOST_SLOTS]; /* frames of the slot that the other end has not given back */
    uint64_t retry_ns;
};

static uint64_t roma_pipe_now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

static void roma_pipe_put(uint8_t *at, uint64_t value, unsigned bytes) {
    for (unsigned i = 0; i < bytes; i++) at[i] = (uint8_t)(value >> (8 * i));
}

static uint32_t roma_pipe_get(const uint8_t *at, unsigned bytes) {
    uint32_t value = 0;
    for (unsigned i = 0; i < bytes; i++) value |= (uint32_t)at[i] << (8 * i);
    return value;
}

static void roma_pipe_begin(uint8_t *message, unsigned kind) {
    memset(message, 0, ROMA_PIPE_MESSAGE);
    memcpy(message, "RPIP", 4);
    roma_pipe_put(message + 4, ROMA_PIPE_VERSION, 2);
    roma_pipe_put(message + 6, kind, 2);
}

static void roma_pipe_disconnect(struct roma_pipe *pipe, const char *why) {
    if (pipe->connection >= 0) close(pipe->connection);
    pipe->connection = -1;
    if (why) snprintf(pipe->error, sizeof pipe->error, "%s", why);
}

struct roma_pipe *roma_pipe_open(const char *path, const char *name, unsigned slots, size_t slot_bytes) {
    struct roma_pipe *pipe = calloc(1, sizeof *pipe);
    if (!pipe) return NULL;
    pipe->memory = pipe->connection = -1;
    pipe->slots = slots;
    pipe->slot_bytes = slot_bytes;
    pipe->pixels = MAP_FAILED;
    if (strlen(path) >= sizeof pipe->path || slots < 1 || slots > ROMA_PIPE_MOST_SLOTS || slot_bytes < 1) {
        errno = EINVAL;
        goto failed;
    }
    strcpy(pipe->path, path);
    snprintf(pipe->name, sizeof pipe->name, "%s", name);
    /* By its number: older C libraries lack memfd_create. 1: close on exec. */
    pipe->memory = (int)syscall(SYS_memfd_create, "roma-pipe", 1u);
    if (pipe->memory < 0 || ftruncate(pipe->memory, (off_t)(slots * slot_bytes)) < 0) goto failed;
    pipe->pixels = mmap(NULL, slots * slot_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, pipe->memory, 0);
    if (pipe->pixels == MAP_FAILED) goto failed;
    return pipe;
failed:
    roma_pipe_close(pipe);
    return NULL;
}

void roma_pipe_close(struct roma_pipe *pipe) {
    if (!pipe) return;
    int kept = errno;
    roma_pipe_disconnect(pipe, NULL);
    if (pipe->pixels != MAP_FAILED) munmap(pipe->pixels, pipe->slots * pipe->slot_bytes);
    if (pipe->memory >= 0) close(pipe->memory);
    free(pipe);
    errno = kept;
}

static int roma_pipe_greet(struct roma_pipe *pipe) {
    uint8_t message[ROMA_PIPE_MESSAGE];
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec data = {message, sizeof message};
    struct msghdr whole;
    roma_pipe_begin(message, ROMA_PIPE_HELLO);
    roma_pipe_put(message + 8, pipe->slots, 4);
    roma_pipe_put(message + 16, pipe->slot_bytes, 8);
    memcpy(message + 24, pipe->name, sizeof pipe->name);
    memset(&whole, 0, sizeof whole);
    memset(&control, 0, sizeof control);
    whole.msg_iov = &data;
    whole.msg_iovlen = 1;
    whole.msg_control = control.bytes;
    whole.msg_controllen = sizeof control.bytes;
    struct cmsghdr *rights = CMSG_FIRSTHDR(&whole);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(rights), &pipe->memory, sizeof(int));
    return sendmsg(pipe->connection, &whole, MSG_NOSIGNAL) == ROMA_PIPE_MESSAGE ? 0 : -1;
}

static int roma_pipe_connect(struct roma_pipe *pipe) {
    struct sockaddr_un address;
    uint64_t now_ns = roma_pipe_now_ns();
    if (now_ns < pipe->retry_ns) return -1;
    pipe->retry_ns = now_ns + ROMA_PIPE_RETRY_NS;
    memset(pipe->lent, 0, sizeof pipe->lent);
    memset(&address, 0, sizeof address);
    address.sun_family = AF_UNIX;
    strcpy(address.sun_path, pipe->path);
    pipe->connection = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (pipe->connection < 0 || connect(pipe->connection, (struct sockaddr *)&address, sizeof address) < 0 ||
        roma_pipe_greet(pipe) < 0) {
        roma_pipe_disconnect(pipe, strerror(errno));
        return -1;
    }
    return 0;
}

static void roma_pipe_answer(struct roma_pipe *pipe, const uint8_t *message, size_t bytes) {
    if (bytes < 8 || memcmp(message, "RPIP", 4) || roma_pipe_get(message + 4, 2) != ROMA_PIPE_VERSION) return;
    unsigned kind = roma_pipe_get(message + 6, 2);
    if (kind == ROMA_PIPE_REFUSAL) {
        memcpy(pipe->error, message + 8, bytes - 8);
        pipe->error[bytes - 8] = 0;
    } else if (kind == ROMA_PIPE_RELEASE && bytes >= 12) {
        uint32_t slot = roma_pipe_get(message + 8, 4);
        if (slot < pipe->slots && pipe->lent[slot]) pipe->lent[slot]--;
    }
}

static void roma_pipe_read_answers(struct roma_pipe *pipe) {
    uint8_t message[ROMA_PIPE_ANSWER];
    while (pipe->connection >= 0) {
        ssize_t bytes = recv(pipe->connection, message, sizeof message, 0);
        if (bytes < 0 && (errno == EAGAIN || errno == EINTR)) return;
        if (bytes < 0) roma_pipe_disconnect(pipe, strerror(errno));
        else if (bytes == 0) roma_pipe_disconnect(pipe, pipe->error[0] ? NULL : "the other end has closed");
        else roma_pipe_answer(pipe, message, (size_t)bytes);
    }
}

int roma_pipe_slot(struct roma_pipe *pipe) {
    if (pipe->connection < 0 && roma_pipe_connect(pipe) < 0) return -1;
    roma_pipe_read_answers(pipe);
    for (unsigned slot = 0; pipe->connection >= 0 && slot < pipe->slots; slot++)
        if (!pipe->lent[slot]) return (int)slot;
    return -1;
}

uint8_t *roma_pipe_pixels(struct roma_pipe *pipe, int slot) {
    return slot < 0 || (unsigned)slot >= pipe->slots ? NULL : pipe->pixels + (size_t)slot * pipe->slot_bytes;
}

int roma_pipe_send(struct roma_pipe *pipe, const struct roma_pipe_frame *frame) {
    uint8_t message[ROMA_PIPE_MESSAGE];
    if (pipe->connection < 0 || frame->slot < 0 || (unsigned)frame->slot >= pipe->slots) return -1;
    roma_pipe_begin(message, ROMA_PIPE_FRAME);
    roma_pipe_put(message + 8, (uint64_t)frame->slot, 4);
    roma_pipe_put(message + 12, frame->side, 4);
    roma_pipe_put(message + 16, frame->sequence, 8);
    roma_pipe_put(message + 24, frame->timestamp_ns, 8);
    roma_pipe_put(message + 32, frame->width, 4);
    roma_pipe_put(message + 36, frame->height, 4);
    roma_pipe_put(message + 40, frame->stride, 4);
    for (unsigned i = 0; i < 4 && frame->format[i]; i++) message[44 + i] = (uint8_t)frame->format[i];
    roma_pipe_put(message + 48, frame->flags, 4);
    roma_pipe_put(message + 52, frame->offset, 4);
    if (send(pipe->connection, message, sizeof message, MSG_NOSIGNAL) == ROMA_PIPE_MESSAGE) {
        pipe->lent[frame->slot]++;
        return 0;
    }
    if (errno != EAGAIN) {
        int number = errno;
        roma_pipe_read_answers(pipe); /* it may say why */
        if (pipe->connection >= 0) roma_pipe_disconnect(pipe, strerror(number));
    }
    return -1;
}

const char *roma_pipe_error(const struct roma_pipe *pipe) { return pipe->error; }
#endif
