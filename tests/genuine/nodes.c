/* Device nodes of a board where there are none: /dev/ax_*, /dev/npu and /dev/mem open as memory, whose calls all succeed.
 * What stands in NODES_REFUSED (one path) is refused, as it is to a program without the right. For LD_PRELOAD. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { MOST = 1024, BYTES = 1 << 26 };
static char is_ours[MOST];

static int is_node(const char *path) {
    return !strncmp(path, "/dev/ax", 7) || !strcmp(path, "/dev/npu") || !strcmp(path, "/dev/mem");
}

static int open_node(const char *path) {
    const char *refused = getenv("NODES_REFUSED");
    if (refused && !strcmp(path, refused)) {
        errno = EPERM;
        return -1;
    }
    int fd = memfd_create(path, 0);
    if (fd >= 0 && (fd >= MOST || ftruncate(fd, BYTES))) {
        close(fd);
        errno = EMFILE;
        return -1;
    }
    if (fd >= 0) is_ours[fd] = 1;
    return fd;
}

#define OPEN(name)                                                                                                    \
    int name(const char *path, int flags, ...) {                                                                      \
        va_list rest;                                                                                                 \
        va_start(rest, flags);                                                                                        \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;                                       \
        va_end(rest);                                                                                                 \
        if (is_node(path)) return open_node(path);                                                                    \
        int (*next)(const char *, int, ...) = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, #name);               \
        return next(path, flags, mode);                                                                               \
    }
OPEN(open)
OPEN(open64)

int ioctl(int fd, unsigned long request, ...) {
    va_list rest;
    va_start(rest, request);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    if (fd >= 0 && fd < MOST && is_ours[fd]) return 0;
    int (*next)(int, unsigned long, ...) = (int (*)(int, unsigned long, ...))dlsym(RTLD_NEXT, "ioctl");
    return next(fd, request, argument);
}

#define MMAP(name)                                                                                                    \
    void *name(void *address, size_t size, int rights, int flags, int fd, off_t offset) {                             \
        void *(*next)(void *, size_t, int, int, int, off_t) =                                                         \
            (void *(*)(void *, size_t, int, int, int, off_t))dlsym(RTLD_NEXT, #name);                                 \
        int ours = fd >= 0 && fd < MOST && is_ours[fd];                                                               \
        return next(address, size, rights, flags, fd, ours ? 0 : offset);                                             \
    }
MMAP(mmap)
MMAP(mmap64)
