/* Stand-in for libaxcl_rt.so: memory on both sides, and copies.
 *
 * The card's memory has addresses that no host program can read or write.
 */
#define _GNU_SOURCE
#include "axcl.h"

enum { H2H = 0, H2D = 1, D2H = 2, D2D = 3 };
static const uint64_t ARENA = 0x0DE0000000000000ull, ARENA_END = 0x0DF0000000000000ull;

static uint64_t arena_used;

void reset_memory(void) { arena_used = 0; }

static int32_t allocate(void **address, size_t size, int32_t policy) {
    if (!address || !size || policy < 0 || policy > 3) return MEMORY_ILLEGAL;
    struct object *object = add_object("device memory", 0, size, calloc(1, size));
    if (!object) return NO_MEMORY;
    object->handle = ARENA + arena_used;
    arena_used += (size + 8191) & ~4095ull; /* an unused page behind each */
    *address = (void *)object->handle;
    return 0;
}

EXPORT int32_t axclrtMalloc(void **address, size_t size, int32_t policy) {
    CALL_IN_CONTEXT("axclrtMalloc");
    return allocate(address, size, policy);
}

EXPORT int32_t axclrtMallocCached(void **address, size_t size, int32_t policy) {
    CALL_IN_CONTEXT("axclrtMallocCached");
    return allocate(address, size, policy);
}

/* The object of `kind` in which `size` bytes at `address` lie, or at least their first. */
static struct object *holder(const char *kind, uint64_t address, size_t size) {
    for (int i = 0; i < MAX_OBJECTS; i++) {
        struct object *object = &ledger.objects[i];
        if (!object->kind || strcmp(object->kind, kind) || address < object->handle) continue;
        uint64_t offset = address - object->handle;
        if (offset < object->size && size <= object->size - offset) return object;
    }
    return NULL;
}

void *device_memory(uint64_t address, size_t size) {
    struct object *object = holder("device memory", address, size);
    return object ? (char *)object->data + (address - object->handle) : NULL;
}

/* Any memory of the host, but not past the end of what was allocated here. */
static void *host_memory(uint64_t address, size_t size) {
    if (!address || (address >= ARENA && address < ARENA_END)) return NULL;
    return holder("host memory", address, 1) && !holder("host memory", address, size) ? NULL : (void *)address;
}

static int32_t release(const char *call, const char *kind, void *address) {
    struct object *object = find_object(kind, (uint64_t)address);
    if (!object) {
        violate("%s of what is no %s, or freed before", call, kind);
        return MEMORY_ILLEGAL;
    }
    drop_object(object);
    return 0;
}

EXPORT int32_t axclrtFree(void *address) {
    CALL_IN_CONTEXT("axclrtFree");
    return release("axclrtFree", "device memory", address);
}

EXPORT int32_t axclrtMallocHost(void **address, size_t size) {
    CALL_IN_CONTEXT("axclrtMallocHost");
    void *data = NULL;
    if (!address || !size || posix_memalign(&data, 64, size)) return MEMORY_ILLEGAL;
    memset(data, 0xA5, size); /* whoever counts on zeros shall notice */
    struct object *object = add_object("host memory", 0, size, data);
    if (!object) return NO_MEMORY;
    object->handle = (uint64_t)data;
    *address = data;
    return 0;
}

EXPORT int32_t axclrtFreeHost(void *address) {
    CALL_IN_CONTEXT("axclrtFreeHost");
    return release("axclrtFreeHost", "host memory", address);
}

static int32_t maintain(const char *call, void *address, size_t size) {
    if (device_memory((uint64_t)address, size)) return 0;
    violate("%s of %zu bytes that are not the card's", call, size);
    return NOT_DEVICE_MEMORY;
}

EXPORT int32_t axclrtMemFlush(void *address, size_t size) {
    CALL_IN_CONTEXT("axclrtMemFlush");
    return maintain("axclrtMemFlush", address, size);
}

EXPORT int32_t axclrtMemInvalidate(void *address, size_t size) {
    CALL_IN_CONTEXT("axclrtMemInvalidate");
    return maintain("axclrtMemInvalidate", address, size);
}

EXPORT int32_t axclrtMemset(void *address, uint8_t value, size_t size) {
    CALL_IN_CONTEXT("axclrtMemset");
    int32_t status = maintain("axclrtMemset", address, size);
    if (!status) memset(device_memory((uint64_t)address, size), value, size);
    return status;
}

/* The copy as a task; 0 or the status to give back. */
static int32_t make_copy(const char *call, struct task *task, void *to, const void *from, size_t size, int32_t kind) {
    if (kind < H2H || kind > D2D) return MEMORY_ILLEGAL;
    *task = (struct task){.size = size};
    task->to = kind == H2D || kind == D2D ? device_memory((uint64_t)to, size) : host_memory((uint64_t)to, size);
    task->from = kind == D2H || kind == D2D ? device_memory((uint64_t)from, size) : host_memory((uint64_t)from, size);
    if (task->to && task->from) return 0;
    violate("%s: %zu bytes do not lie in memory of the direction", call, size);
    return NOT_DEVICE_MEMORY;
}

EXPORT int32_t axclrtMemcpy(void *to, const void *from, size_t size, int32_t kind) {
    CALL_IN_CONTEXT("axclrtMemcpy");
    struct task task;
    int32_t status = make_copy("axclrtMemcpy", &task, to, from, size, kind);
    return status ? status : run_task(&task);
}

EXPORT int32_t axclrtMemcpyAsync(void *to, const void *from, size_t size, int32_t kind, void *handle) {
    CALL_IN_CONTEXT("axclrtMemcpyAsync");
    struct task task;
    int32_t status = make_copy("axclrtMemcpyAsync", &task, to, from, size, kind);
    return status ? status : add_task(find_stream(handle), &task);
}
