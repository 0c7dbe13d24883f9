/* Stand-in for libax_sys.so: cache maintenance, mappings and what it tells about CMM. */
#define _GNU_SOURCE
#include "ax.h"

/* Note that the NPU wrote [from, to) of `block`. */
EXPORT void mark_unread(struct block *block, size_t from, size_t to) {
    for (int i = 0; i < block->spans; i++)
        if (block->unread[i][0] == from && block->unread[i][1] == to) return;
    if (block->spans == MAX_SPANS) return;
    block->unread[block->spans][0] = from, block->unread[block->spans++][1] = to;
}

/* Whether the NPU was the last to write something of [from, to). */
EXPORT int is_unread(const struct block *block, size_t from, size_t to) {
    for (int i = 0; i < block->spans; i++)
        if (block->unread[i][0] < to && from < block->unread[i][1]) return 1;
    return 0;
}

static void mark_read(struct block *block, size_t from, size_t to) {
    int kept = 0;
    for (int i = 0; i < block->spans; i++) {
        size_t begin = block->unread[i][0], end = block->unread[i][1];
        if (from <= begin && end <= to) continue;
        block->unread[kept][0] = begin, block->unread[kept++][1] = end;
    }
    block->spans = kept;
}

/* The block in which [phy, phy + size) lies at `vir`, or NULL after a violation. */
static struct block *range(const char *call, uint64_t phy, const void *vir, uint32_t size) {
    struct block *block = size ? block_at(phy, size) : NULL;
    if (!block) violate("%s of %u bytes that are not in one block", call, size);
    if (!block || vir == block->cpu + (phy - block->phy) || vir == block->device + (phy - block->phy)) return block;
    violate("%s: the virtual address belongs to another physical one", call);
    return NULL;
}

EXPORT int32_t AX_SYS_MflushCache(uint64_t phy, void *vir, uint32_t size) {
    CALL("AX_SYS_MflushCache");
    struct block *block = range("AX_SYS_MflushCache", phy, vir, size);
    if (!block) return CMM_ILLEGAL;
    check_guard(block, "AX_SYS_MflushCache");
    size_t from = phy - block->phy;
    if (ax_state.cache == CACHE_STRICT && is_unread(block, from, from + size))
        violate("AX_SYS_MflushCache over results that nobody invalidated");
    if (block->device != block->cpu) memcpy(block->device + from, block->cpu + from, size);
    return 0;
}

EXPORT int32_t AX_SYS_MinvalidateCache(uint64_t phy, void *vir, uint32_t size) {
    CALL("AX_SYS_MinvalidateCache");
    struct block *block = range("AX_SYS_MinvalidateCache", phy, vir, size);
    if (!block) return CMM_ILLEGAL;
    size_t from = phy - block->phy;
    if (block->device != block->cpu) memcpy(block->cpu + from, block->device + from, size);
    mark_read(block, from, from + size);
    return 0;
}

static void *map(const char *call, uint64_t phy, uint32_t size, int cached) {
    pthread_mutex_lock(&ledger.lock);
    struct block *block = enter(call) < 0 ? NULL : block_at(phy, size);
    void *address = NULL;
    if (block) {
        address = (cached ? block->cpu : block->device) + (phy - block->phy);
        add_object("mapping", block->phy, 0, NULL)->handle = (uint64_t)address;
    }
    pthread_mutex_unlock(&ledger.lock);
    return address;
}

EXPORT void *AX_SYS_Mmap(uint64_t phy, uint32_t size) { return map("AX_SYS_Mmap", phy, size, 0); }
EXPORT void *AX_SYS_MmapFast(uint64_t phy, uint32_t size) { return map("AX_SYS_MmapFast", phy, size, 0); }
EXPORT void *AX_SYS_MmapCache(uint64_t phy, uint32_t size) { return map("AX_SYS_MmapCache", phy, size, 1); }
EXPORT void *AX_SYS_MmapCacheFast(uint64_t phy, uint32_t size) { return map("AX_SYS_MmapCacheFast", phy, size, 1); }

EXPORT int32_t AX_SYS_Munmap(void *vir, uint32_t size) {
    CALL("AX_SYS_Munmap");
    (void)size;
    struct object *mapping = find_object("mapping", (uint64_t)vir);
    if (!mapping) {
        violate("AX_SYS_Munmap of what is not mapped");
        return CMM_MUNMAP_FAIL;
    }
    drop_object(mapping);
    return 0;
}

EXPORT int32_t AX_SYS_MemGetBlockInfoByPhy(uint64_t phy, int32_t *type, void **vir, uint32_t *size) {
    CALL("AX_SYS_MemGetBlockInfoByPhy");
    struct block *block = block_at(phy, 1);
    if (!block || !type || !vir || !size) return CMM_ILLEGAL;
    *type = block->cached ? MEM_CACHED : MEM_NONCACHED, *vir = block->cpu, *size = (uint32_t)block->size;
    return 0;
}

EXPORT int32_t AX_SYS_MemGetBlockInfoByVirt(void *vir, uint64_t *phy, int32_t *type) {
    CALL("AX_SYS_MemGetBlockInfoByVirt");
    for (int i = 0; i < MAX_OBJECTS && phy && type; i++) {
        struct object *object = &ledger.objects[i];
        struct block *block = object->kind && !strcmp(object->kind, "block") ? object->data : NULL;
        if (!block || (unsigned char *)vir < block->cpu || (unsigned char *)vir >= block->cpu + block->size) continue;
        *phy = block->phy + (uint64_t)((unsigned char *)vir - block->cpu);
        *type = block->cached ? MEM_CACHED : MEM_NONCACHED;
        return 0;
    }
    return CMM_ILLEGAL;
}

static void describe(CMM_PARTITION_INFO *out) {
    memset(out, 0, sizeof *out);
    out->PartitionCnt = 1;
    out->PartitionInfo[0] = (PARTITION_INFO){.PhysAddr = 0x140000000ull, .SizeKB = (uint32_t)(ax_state.pool >> 10)};
    memcpy(out->PartitionInfo[0].Name, "anonymous", 10);
}

EXPORT int32_t AX_SYS_MemGetPartitionInfo(CMM_PARTITION_INFO *out) {
    CALL("AX_SYS_MemGetPartitionInfo");
    if (!out) return CMM_NULL;
    describe(out);
    return 0;
}

EXPORT int32_t AX_SYS_MemQueryStatus(CMM_STATUS *out) {
    CALL("AX_SYS_MemQueryStatus");
    if (!out) return CMM_NULL;
    if (!ax_state.sys_users) violate("AX_SYS_MemQueryStatus before AX_SYS_Init");
    *out = (CMM_STATUS){.TotalSize = (uint32_t)(ax_state.pool >> 10), .RemainSize = (uint32_t)(cmm_free() >> 10)};
    for (int i = 0; i < MAX_OBJECTS; i++) out->BlockCnt += ledger.objects[i].kind && ledger.objects[i].size;
    describe(&out->Partition);
    return 0;
}

/* Which partition a module's memory comes from: there is one only. */
EXPORT int32_t AX_SYS_MemSetConfig(const void *module, const int8_t *partition) {
    CALL("AX_SYS_MemSetConfig");
    return module && partition ? 0 : CMM_NULL;
}

EXPORT int32_t AX_SYS_MemGetConfig(const void *module, int8_t *partition) {
    CALL("AX_SYS_MemGetConfig");
    if (!module || !partition) return CMM_NULL;
    memcpy(partition, "anonymous", 10);
    return 0;
}

#ifdef AX620E
EXPORT int32_t AX_SYS_GetChipType(void) { return 3; }
#endif
