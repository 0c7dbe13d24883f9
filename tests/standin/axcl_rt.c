/* Stand-in for libaxcl_rt.so: the runtime, its cards and contexts. */
#define _GNU_SOURCE
#include "axcl.h"

static const uint64_t DEFAULT_CONTEXT = ~0ull - CARDS; /* of the first card; the next is the second's */

static int initialized, users[CARDS], cards = CARDS;
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

int current_card(void) {
    if (!initialized || !current) return -1;
    if (current >= DEFAULT_CONTEXT) return users[current - DEFAULT_CONTEXT] ? (int)(current - DEFAULT_CONTEXT) : -1;
    struct object *context = find_object("context", current);
    return context ? (int)context->owner : -1;
}

uint64_t current_context(void) { return current; }

EXPORT void standin_set_cards(int count) { cards = count < CARDS ? count : CARDS; }

void standin_reset_state(void) {
    initialized = users[0] = users[1] = 0;
    current = 0, cards = CARDS;
    reset_memory();
    reset_engine();
}

EXPORT int32_t axclInit(const char *config) {
    static const char *const nodes[] = {"/dev/axcl_host", "/dev/msg_userdev", "/dev/p2p", "/dev/ax_pcie_dma_transfer",
                                        "/dev/ax_mmb_dev", NULL};
    CALL("axclInit");
    (void)config;
    if (!nodes_open(nodes)) return NOT_OPEN;
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

EXPORT int32_t axclSetLogLevel(int32_t level) {
    CALL("axclSetLogLevel");
    (void)level;
    return 0;
}

EXPORT int32_t axclrtGetVersion(int32_t *major, int32_t *minor, int32_t *patch) {
    CALL("axclrtGetVersion");
    if (!major || !minor || !patch) return DEVICE_NULL;
    *major = 3, *minor = 10, *patch = 2;
    return 0;
}

EXPORT const char *axclrtGetFullVersion(void) { return "V3.10.2-standin"; }
EXPORT const char *axclrtGetSocName(void) { return "AX650N-standin"; }

EXPORT int32_t axclrtGetDeviceCount(uint32_t *count) {
    CALL("axclrtGetDeviceCount");
    if (!count) return DEVICE_NULL;
    *count = initialized ? (uint32_t)cards : 0;
    return 0;
}

EXPORT int32_t axclrtGetDeviceList(struct device_list *list) {
    CALL("axclrtGetDeviceList");
    if (!list) return DEVICE_NULL;
    if (!initialized) violate("axclrtGetDeviceList before axclInit");
    list->num = (uint32_t)cards;
    for (int i = 0; i < cards; i++) list->devices[i] = FIRST_CARD + i;
    return 0;
}

EXPORT int32_t axclrtSetDevice(int32_t id) {
    CALL("axclrtSetDevice");
    if (!initialized) violate("axclrtSetDevice before axclInit");
    if (card_of(id) < 0) return NO_DEVICE;
    users[card_of(id)]++, current = DEFAULT_CONTEXT + (uint64_t)card_of(id);
    return 0;
}

EXPORT int32_t axclrtGetDevice(int32_t *id) {
    CALL_IN_CONTEXT("axclrtGetDevice");
    if (!id) return DEVICE_NULL;
    *id = FIRST_CARD + current_card();
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
    if (!out) return DEVICE_NULL;
    if (card_of(id) < 0) return NO_DEVICE;
    *out = (struct device_properties){.version = "V3.10.2", .uid = 0x1234, .temperature = 47250};
    out->total_memory = 1 << 20, out->free_memory = 1 << 19, out->total_cmm = 7 << 20, out->free_cmm = 6 << 20;
    out->npu = 12;
    return 0;
}

EXPORT int32_t axclrtCreateContext(void **context, int32_t id) {
    CALL("axclrtCreateContext");
    if (!context || card_of(id) < 0) return context ? NO_DEVICE : DEVICE_NULL;
    if (!initialized) violate("axclrtCreateContext before axclInit");
    current = add_object("context", (uint64_t)card_of(id), 0, NULL)->handle;
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
    uint64_t handle = (uint64_t)context;
    if (handle < DEFAULT_CONTEXT ? !find_object("context", handle) : handle - DEFAULT_CONTEXT >= CARDS) return NO_CONTEXT;
    current = handle;
    return 0;
}

EXPORT int32_t axclrtGetCurrentContext(void **context) {
    CALL_IN_CONTEXT("axclrtGetCurrentContext");
    if (!context) return DEVICE_NULL;
    *context = (void *)current;
    return 0;
}

EXPORT int32_t axclrtGetDefaultContext(void **context, int32_t id) {
    CALL("axclrtGetDefaultContext");
    if (!context || card_of(id) < 0) return context ? NO_DEVICE : DEVICE_NULL;
    *context = (void *)(DEFAULT_CONTEXT + (uint64_t)card_of(id));
    return 0;
}
