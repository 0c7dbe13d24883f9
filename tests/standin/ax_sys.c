/* Stand-in for libax_sys.so: initialization and CMM. */
#define _GNU_SOURCE
#include "ax.h"

enum { DEFAULT_POOL = 256 << 20 };
static const uint64_t FIRST_PHY = 0x140000000ull;

EXPORT struct ax_state ax_state = {.mode = -1, .foreign = -1, .pool = DEFAULT_POOL, .released = PTHREAD_COND_INITIALIZER};

void standin_reset_state(void) {
    ax_state.sys_users = ax_state.engine_users = ax_state.cache = 0;
    ax_state.mode = ax_state.foreign = -1, ax_state.pool = DEFAULT_POOL, ax_state.hangs++;
    pthread_cond_broadcast(&ax_state.released);
}

__attribute__((constructor)) static void read_environment(void) {
    const char *cache = getenv("ROMA_STANDIN_CACHE");
    if (cache) ax_state.cache = atoi(cache);
}

/* Size of CMM from now on. */
EXPORT void standin_set_pool(size_t bytes) { ax_state.pool = bytes; }

/* One of CACHE_*, for blocks allocated from now on. */
EXPORT void standin_set_cache(int cache) { ax_state.cache = cache; }

/* As if another process had initialized the NPU with `mode`. */
EXPORT void standin_set_mode(int mode) { ax_state.mode = ax_state.foreign = mode; }

/* Let runs that hang end. */
EXPORT void standin_release(void) {
    pthread_mutex_lock(&ledger.lock);
    ax_state.hangs++;
    pthread_cond_broadcast(&ax_state.released);
    pthread_mutex_unlock(&ledger.lock);
}

/* With the lock held, which is given back meanwhile. */
EXPORT int32_t standin_hang(void) {
    int before = ax_state.hangs;
    while (ax_state.hangs == before) pthread_cond_wait(&ax_state.released, &ledger.lock);
    return NPU_TIMED_OUT;
}

EXPORT standin_runner current_runner(void) { return runner; }

static size_t used_bytes(void) {
    size_t bytes = 0;
    for (int i = 0; i < MAX_OBJECTS; i++) bytes += ledger.objects[i].kind ? ledger.objects[i].size : 0;
    return bytes;
}

EXPORT size_t cmm_free(void) {
    size_t used = used_bytes();
    return used < ax_state.pool ? ax_state.pool - used : 0;
}

EXPORT struct block *block_at(uint64_t phy, size_t size) {
    for (int i = 0; i < MAX_OBJECTS; i++) {
        struct object *object = &ledger.objects[i];
        if (!object->kind || strcmp(object->kind, "block") || phy < object->handle) continue;
        uint64_t offset = phy - object->handle;
        if (offset < object->size && size <= object->size - offset) return object->data;
    }
    return NULL;
}

EXPORT void check_guard(const struct block *block, const char *call) {
    for (int i = 0; i < GUARD; i++)
        if (block->cpu[block->size + i] != 0xC5) {
            violate("%s: written past the end of a block of %zu bytes", call, block->size);
            return;
        }
}

/* As the genuine library gives them: drivers first, the chip's timer in /dev/mem last. */
static int32_t open_nodes(void) {
    static const char *const drivers[] = {"/dev/ax_sys", "/dev/ax_cmm", NULL}, *const timer[] = {"/dev/mem", NULL};
    return !nodes_open(drivers) ? SYS_NOT_READY : !nodes_open(timer) ? SYS_NO_TIMER : 0;
}

EXPORT int32_t AX_SYS_Init(void) {
    CALL("AX_SYS_Init");
    int32_t code = open_nodes();
    if (code) return code;
    ax_state.sys_users++;
    return 0;
}

EXPORT int32_t AX_SYS_Deinit(void) {
    CALL("AX_SYS_Deinit");
    if (!ax_state.sys_users) violate("AX_SYS_Deinit without AX_SYS_Init");
    if (ax_state.sys_users && --ax_state.sys_users) return 0;
    if (ax_state.engine_users) violate("AX_SYS_Deinit before AX_ENGINE_Deinit");
    if (used_bytes()) violate("AX_SYS_Deinit: %zu bytes of CMM are left", used_bytes());
    return 0;
}

static struct block *new_block(size_t size, size_t align, int cached) {
    size_t span = (size + GUARD + align + align - 1) & ~(align - 1), head = (sizeof(struct block) + align - 1) & ~(align - 1);
    void *memory = NULL;
    if (posix_memalign(&memory, align, head + 2 * span)) return NULL;
    struct block *block = memory;
    *block = (struct block){.size = size, .cached = cached};
    block->cpu = (unsigned char *)memory + head;
    block->device = cached && ax_state.cache != CACHE_COHERENT ? block->cpu + span : block->cpu;
    memset(block->cpu, 0xA5, 2 * span); /* whoever counts on zeros shall notice */
    memset(block->cpu + size, 0xC5, GUARD);
    uint64_t start = ax_state.next_phy ? ax_state.next_phy : FIRST_PHY;
    block->phy = (start + align - 1) & ~(uint64_t)(align - 1);
    ax_state.next_phy = block->phy + ((size + 4095) & ~4095ull) + 4096;
    return block;
}

static int32_t allocate(const char *call, uint64_t *phy, void **vir, uint32_t size, uint32_t align, int cached) {
    if (!phy || !vir) return CMM_NULL;
    if (!ax_state.sys_users) {
        violate("%s before AX_SYS_Init", call);
        return CMM_NOT_READY;
    }
    if (!size || (align & (align - 1))) {
        violate("%s of %u bytes, aligned to %u", call, size, align);
        return CMM_ILLEGAL;
    }
    if (size > cmm_free()) return CMM_NO_MEMORY;
    struct block *block = new_block(size, align < 64 ? 64 : align, cached);
    struct object *object = block ? add_object("block", 0, size, block) : NULL;
    if (!object) return CMM_NO_MEMORY;
    object->handle = *phy = block->phy, *vir = block->cpu;
    return 0;
}

EXPORT int32_t AX_SYS_MemAlloc(uint64_t *phy, void **vir, uint32_t size, uint32_t align, const int8_t *token) {
    CALL("AX_SYS_MemAlloc");
    (void)token;
    return allocate("AX_SYS_MemAlloc", phy, vir, size, align, 0);
}

EXPORT int32_t AX_SYS_MemAllocCached(uint64_t *phy, void **vir, uint32_t size, uint32_t align, const int8_t *token) {
    CALL("AX_SYS_MemAllocCached");
    (void)token;
    return allocate("AX_SYS_MemAllocCached", phy, vir, size, align, 1);
}

EXPORT int32_t AX_SYS_MemFree(uint64_t phy, void *vir) {
    CALL("AX_SYS_MemFree");
    struct object *object = find_object("block", phy);
    struct block *block = object ? object->data : NULL;
    if (!block || block->cpu != vir) {
        violate("AX_SYS_MemFree of what is no block, or freed before");
        return CMM_FREE_FAIL;
    }
    check_guard(block, "AX_SYS_MemFree");
    if (block->busy) {
        violate("AX_SYS_MemFree during a run that uses the block");
        return CMM_FREE_FAIL;
    }
    if (block->spans) violate("AX_SYS_MemFree of an output that nobody invalidated since the run");
    drop_object(object);
    return 0;
}
