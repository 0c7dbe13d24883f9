/* Stand-in for libax_sys.so: cache maintenance, mappings and what it tells about CMM. */
#define _GNU_SOURCE
#include "ax.h"

/* The block in which [phy, phy + size) lies at `vir`, or NULL after a violation. */
static struct block *range(const char *call, uint64_t phy, const void *vir, uint32_t size) {
    struct block *block = size ? block_at(phy, size) : NULL;
    if (!block) violate("%s of %u bytes that are not in one block", call, size);
    if (!block || vir == block->cpu + (phy - block->phy)) return block;
    violate("%s: the virtual address belongs to another physical one", call);
    return NULL;
}

EXPORT int32_t AX_SYS_MflushCache(uint64_t phy, void *vir, uint32_t size) {
    CALL("AX_SYS_MflushCache");
    struct block *block = range("AX_SYS_MflushCache", phy, vir, size);
    if (!block) return CMM_ILLEGAL;
    check_guard(block, "AX_SYS_MflushCache");
    if (block->unread) violate("AX_SYS_MflushCache over results that nobody invalidated");
    if (block->device != block->cpu) memcpy(block->device + (phy - block->phy), vir, size);
    if (size == block->size) block->flushed = 1;
    return 0;
}

EXPORT int32_t AX_SYS_MinvalidateCache(uint64_t phy, void *vir, uint32_t size) {
    CALL("AX_SYS_MinvalidateCache");
    struct block *block = range("AX_SYS_MinvalidateCache", phy, vir, size);
    if (!block) return CMM_ILLEGAL;
    if (block->device != block->cpu) memcpy(vir, block->device + (phy - block->phy), size);
    if (size == block->size) block->unread = 0;
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

#ifdef AX620E
EXPORT int32_t AX_SYS_GetChipType(void) { return 3; }
#endif
