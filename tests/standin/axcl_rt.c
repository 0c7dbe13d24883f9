/* Stand-in for libaxcl_rt.so: runtime, cards, contexts, memory and streams.
 *
 * The card's memory has addresses that no host program can read or write. Copies and executions wait in their
 * stream until it is synchronized, so that reading an output too early shows.
 */
#define _GNU_SOURCE
#include "axcl.h"
#include <unistd.h>

enum { H2D = 1, D2H = 2, CARDS = 2, FIRST_CARD = 4 };
static const uint64_t DEFAULT_CONTEXT = ~0ull, ARENA = 0x0DE0000000000000ull;

static int initialized, users[CARDS], cards = CARDS;
static uint64_t arena_used;
static __thread uint64_t current;

struct device_list { uint32_t num; int32_t devices[256]; };
struct device_properties {
    char version[64];
    uint64_t uid;
    uint32_t pci[3];
    int32_t temperature;
    uint32_t total_memory, free_memory, total_cmm, free_cmm, cpu, npu, reserved[32];
};

static int card_of(int32_t id) {
    return id >= FIRST_CARD && id < FIRST_CARD + cards ? id - FIRST_CARD : -1;
}

static int any_user(void) { return users[0] || users[1]; }

int has_context(void) {
    return initialized && (current == DEFAULT_CONTEXT ? any_user() : find_object("context", current) != NULL);
}

EXPORT void standin_set_cards(int count) { cards = count < CARDS ? count : CARDS; }

void standin_reset_state(void) {
    initialized = users[0] = users[1] = 0;
    arena_used = current = 0, cards = CARDS;
    reset_engine();
}

EXPORT int32_t axclInit(const char *config) {
    CALL("axclInit");
    (void)config;
    if (initialized++) violate("axclInit twice");
    return 0;
}

EXPORT int32_t axclFinalize(void) {
    CALL("axclFinalize");
    if (!initialized) violate("axclFinalize before axclInit");
    if (any_user()) violate("axclFinalize while a card is in use");
    for (int i = 0; i < MAX_OBJECTS; i++)
        if (ledger.objects[i].kind) violate("axclFinalize: a %s is left", ledger.objects[i].kind);
    initialized = 0;
    return 0;
}

EXPORT int32_t axclrtGetVersion(int32_t *major, int32_t *minor, int32_t *patch) {
    CALL("axclrtGetVersion");
    *major = 3, *minor = 10, *patch = 2;
    return 0;
}

EXPORT int32_t axclrtGetDeviceList(struct device_list *list) {
    CALL("axclrtGetDeviceList");
    if (!initialized) violate("axclrtGetDeviceList before axclInit");
    list->num = (uint32_t)cards;
    for (int i = 0; i < cards; i++) list->devices[i] = FIRST_CARD + i;
    return 0;
}

EXPORT int32_t axclrtSetDevice(int32_t id) {
    CALL("axclrtSetDevice");
    if (!initialized) violate("axclrtSetDevice before axclInit");
    if (card_of(id) < 0) return NO_DEVICE;
    users[card_of(id)]++, current = DEFAULT_CONTEXT;
    return 0;
}

EXPORT int32_t axclrtResetDevice(int32_t id) {
    CALL("axclrtResetDevice");
    if (card_of(id) < 0) return NO_DEVICE;
    if (!users[card_of(id)]) {
        violate("axclrtResetDevice of a card that is not in use");
        return NO_DEVICE;
    }
    users[card_of(id)]--;
    if (!any_user() && standin_alive("")) violate("axclrtResetDevice while objects live on the card");
    return 0;
}

EXPORT int32_t axclrtGetDeviceProperties(int32_t id, struct device_properties *out) {
    CALL("axclrtGetDeviceProperties");
    if (card_of(id) < 0 || !users[card_of(id)]) return NO_DEVICE;
    *out = (struct device_properties){.version = "V3.10.2", .uid = 0x1234, .temperature = 47250};
    out->total_memory = 1 << 20, out->free_memory = 1 << 19, out->total_cmm = 7 << 20, out->free_cmm = 6 << 20;
    out->npu = 12;
    return 0;
}

EXPORT int32_t axclrtCreateContext(void **context, int32_t id) {
    CALL("axclrtCreateContext");
    if (card_of(id) < 0 || !users[card_of(id)]) return NO_DEVICE;
    current = add_object("context", 0, 0, NULL)->handle;
    *context = (void *)current;
    return 0;
}

EXPORT int32_t axclrtDestroyContext(void *context) {
    CALL("axclrtDestroyContext");
    struct object *object = find_object("context", (uint64_t)context);
    if (!object) {
        violate("axclrtDestroyContext of no context");
        return NO_CONTEXT;
    }
    if (has_child("stream", object->handle)) violate("axclrtDestroyContext before its streams");
    drop_object(object);
    return 0;
}

EXPORT int32_t axclrtSetCurrentContext(void *context) {
    CALL("axclrtSetCurrentContext");
    if (!find_object("context", (uint64_t)context)) return NO_CONTEXT;
    current = (uint64_t)context;
    return 0;
}

EXPORT int32_t axclrtCreateStream(void **stream) {
    CALL_IN_CONTEXT("axclrtCreateStream");
    *stream = (void *)add_object("stream", current, 0, calloc(1, sizeof(struct stream)))->handle;
    return 0;
}

EXPORT int32_t axclrtDestroyStream(void *handle) {
    CALL_IN_CONTEXT("axclrtDestroyStream");
    struct stream *stream = find_stream(handle);
    if (!stream) {
        violate("axclrtDestroyStream of no stream");
        return ILLEGAL;
    }
    if (stream->count) violate("axclrtDestroyStream with work in it");
    drop_object(find_object("stream", (uint64_t)handle));
    return 0;
}

struct stream *find_stream(void *handle) {
    struct object *object = find_object("stream", (uint64_t)handle);
    return object ? object->data : NULL;
}

EXPORT int32_t axclrtSynchronizeStreamWithTimeout(void *handle, int32_t timeout_ms) {
    CALL_IN_CONTEXT("axclrtSynchronizeStreamWithTimeout");
    struct stream *stream = find_stream(handle);
    if (!stream) {
        violate("axclrtSynchronizeStreamWithTimeout of no stream");
        return ILLEGAL;
    }
    int32_t status = 0;
    for (int i = 0; i < stream->count && !status; i++) {
        if (stream->tasks[i].fault == FAULT_HANG) {
            usleep((useconds_t)timeout_ms * 1000);
            status = STREAM_TIMEOUT;
        } else {
            status = run_task(&stream->tasks[i]);
        }
    }
    stream->count = 0; /* a card that hangs is reset by its driver: nothing stays under way */
    return status;
}

EXPORT int32_t axclrtMalloc(void **address, size_t size, int32_t policy) {
    CALL_IN_CONTEXT("axclrtMalloc");
    if (!size || policy < 0 || policy > 3) return ILLEGAL;
    struct object *object = add_object("device memory", 0, size, calloc(1, size));
    object->handle = ARENA + arena_used;
    arena_used += (size + 8191) & ~4095ull; /* an unused page behind each */
    *address = (void *)object->handle;
    return 0;
}

void *device_memory(uint64_t address, size_t size) {
    for (int i = 0; i < MAX_OBJECTS; i++) {
        struct object *object = &ledger.objects[i];
        if (!object->kind || strcmp(object->kind, "device memory") || address < object->handle) continue;
        uint64_t offset = address - object->handle;
        if (offset < object->size && size <= object->size - offset) return (char *)object->data + offset;
    }
    return NULL;
}

static int32_t release(const char *call, const char *kind, void *address) {
    struct object *object = find_object(kind, (uint64_t)address);
    if (!object) {
        violate("%s of what is no %s, or freed before", call, kind);
        return ILLEGAL;
    }
    for (int i = 0; i < MAX_OBJECTS; i++) { /* IO objects remember where their buffers lie */
        struct object *io = &ledger.objects[i];
        if (!io->kind || strcmp(io->kind, "IO") || strcmp(kind, "device memory")) continue;
        uint64_t *buffers = io->data;
        for (int k = 0; k < 2 * MAX_TENSORS; k++)
            if (buffers[k] == object->handle) violate("%s before the IO that uses it", call);
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
    if (!size || posix_memalign(&data, 64, size)) return ILLEGAL;
    memset(data, 0xA5, size); /* whoever counts on zeros shall notice */
    add_object("host memory", 0, size, data)->handle = (uint64_t)data;
    *address = data;
    return 0;
}

EXPORT int32_t axclrtFreeHost(void *address) {
    CALL_IN_CONTEXT("axclrtFreeHost");
    return release("axclrtFreeHost", "host memory", address);
}

static int in_host_memory(const void *address, size_t size) {
    for (int i = 0; i < MAX_OBJECTS; i++) {
        struct object *object = &ledger.objects[i];
        if (!object->kind || strcmp(object->kind, "host memory") || (uint64_t)address < object->handle) continue;
        uint64_t offset = (uint64_t)address - object->handle;
        if (offset < object->size && size <= object->size - offset) return 1;
    }
    return 0;
}

EXPORT int32_t axclrtMemcpyAsync(void *to, const void *from, size_t size, int32_t kind, void *handle) {
    CALL_IN_CONTEXT("axclrtMemcpyAsync");
    struct stream *stream = find_stream(handle);
    if (!stream || stream->count == MAX_TASKS || (kind != H2D && kind != D2H)) return ILLEGAL;
    void *card = device_memory((uint64_t)(kind == H2D ? to : from), size);
    const void *host = kind == H2D ? from : to;
    if (!card || !in_host_memory(host, size)) {
        violate("axclrtMemcpyAsync: %zu bytes do not lie in memory of the direction", size);
        return NOT_DEVICE_MEMORY;
    }
    struct task task = {.to = kind == H2D ? card : to, .from = kind == H2D ? from : card, .size = size};
    stream->tasks[stream->count++] = task;
    return 0;
}
