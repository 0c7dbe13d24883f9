/* Stand-in for libax_engine.so: questions about a loaded model. */
#define _GNU_SOURCE
#include "ax.h"

#define CALL_OF_MODEL(name, out)                                                       \
    CALL(name);                                                                        \
    struct object *object = find_object("handle", (uint64_t)handle);                   \
    if (!object) violate("%s of no handle", name);                                     \
    if (!object) return NPU_NO_SUCH;                                                   \
    if (!(out)) return NPU_NULL;                                                       \
    struct loaded *loaded = object->data

EXPORT int32_t AX_ENGINE_GetIOInfo(void *handle, IO_INFO **info) {
    CALL_OF_MODEL("AX_ENGINE_GetIOInfo", info);
    *info = &loaded->info;
    return 0;
}

#ifndef OLD_SDK
EXPORT int32_t AX_ENGINE_GetGroupIOInfoCount(void *handle, uint32_t *count) {
    CALL_OF_MODEL("AX_ENGINE_GetGroupIOInfoCount", count);
    *count = (uint32_t)loaded->model->groups;
    return 0;
}

EXPORT int32_t AX_ENGINE_GetGroupIOInfo(void *handle, uint32_t index, IO_INFO **info) {
    CALL_OF_MODEL("AX_ENGINE_GetGroupIOInfo", info);
    if (index >= (uint32_t)loaded->model->groups) return NPU_ILLEGAL;
    *info = &loaded->info;
    return 0;
}

#endif

#ifndef BARE
EXPORT int32_t AX_ENGINE_GetCMMUsage(void *handle, CMM_INFO *out) {
    CALL_OF_MODEL("AX_ENGINE_GetCMMUsage", out);
    (void)loaded, out->nCMMSize = (uint32_t)object->size;
    return 0;
}

EXPORT const char *AX_ENGINE_GetModelToolsVersion(void *handle) {
    return find_object("handle", (uint64_t)handle) ? "4.0-standin" : NULL;
}
#endif

EXPORT int32_t AX_ENGINE_GetHandleModelType(void *handle, int32_t *type) {
    CALL_OF_MODEL("AX_ENGINE_GetHandleModelType", type);
    *type = loaded->model->type;
    return 0;
}

#if !defined(M57H) && !defined(BARE)
EXPORT int32_t AX_ENGINE_SetAffinity(void *handle, uint32_t set) {
    CALL_OF_MODEL("AX_ENGINE_SetAffinity", handle);
    if (!set || set > 7) return NPU_ILLEGAL;
    loaded->affinity = set;
    return 0;
}

EXPORT int32_t AX_ENGINE_GetAffinity(void *handle, uint32_t *set) {
    CALL_OF_MODEL("AX_ENGINE_GetAffinity", set);
    *set = loaded->affinity;
    return 0;
}
#endif

/* Exported by the genuine libraries, but in no public header: here to be found, not to be used. */
#define UNSUPPORTED(name) \
    EXPORT int32_t name(void) { return NPU_NOT_SUPPORTED; }

UNSUPPORTED(AX_ENGINE_CloneHandle)
UNSUPPORTED(AX_ENGINE_GetExtraData)
UNSUPPORTED(AX_ENGINE_GetVNPUInfo)
#ifdef AX620E
UNSUPPORTED(AX_ENGINE_DestroyKernelHandle)
UNSUPPORTED(AX_ENGINE_GetThrottle)
UNSUPPORTED(AX_ENGINE_GetThrottleConfig)
UNSUPPORTED(AX_ENGINE_SetThrottle)
#endif
