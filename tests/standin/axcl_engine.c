/* Stand-in for libaxcl_rt.so: the NPU, and models. */
#define _GNU_SOURCE
#include "axcl.h"

static int kinds[CARDS]; /* 1 + division of each card's NPU; 0: not initialized */

void reset_engine(void) { memset(kinds, 0, sizeof kinds); }

struct model *model_of(uint64_t id) {
    struct object *object = find_object("model", id);
    return object ? object->data : NULL;
}

EXPORT int32_t axclrtEngineInit(int32_t vnpu) {
    CALL_IN_CONTEXT("axclrtEngineInit");
    int *kind = &kinds[current_card()];
    if (vnpu < 0 || vnpu > 3 || (*kind && *kind != vnpu + 1)) return ENGINE_ILLEGAL;
    *kind = vnpu + 1;
    return 0;
}

EXPORT int32_t axclrtEngineGetVNpuKind(int32_t *vnpu) {
    CALL_IN_CONTEXT("axclrtEngineGetVNpuKind");
    if (!vnpu) return ENGINE_NULL;
    if (!kinds[current_card()]) return EXECUTE_FAIL;
    *vnpu = kinds[current_card()] - 1;
    return 0;
}

EXPORT int32_t axclrtEngineFinalize(void) {
    CALL_IN_CONTEXT("axclrtEngineFinalize");
    if (!kinds[current_card()]) violate("axclrtEngineFinalize before axclrtEngineInit");
    if (has_child("model", (uint64_t)current_card() + 1)) violate("axclrtEngineFinalize with models loaded");
    kinds[current_card()] = 0;
    return 0;
}

static int32_t keep(const char *call, struct model *model, uint64_t *id) {
    if (!kinds[current_card()]) violate("%s before axclrtEngineInit", call);
    if (!model) return EXECUTE_FAIL;
    model->affinity = 1;
    *id = add_object("model", (uint64_t)current_card() + 1, 0, model)->handle;
    return 0;
}

EXPORT int32_t axclrtEngineLoadFromFile(const char *path, uint64_t *id) {
    CALL_IN_CONTEXT("axclrtEngineLoadFromFile");
    if (!path || !id) return ENGINE_NULL;
    return keep("axclrtEngineLoadFromFile", read_model(path), id);
}

/* The model in memory of the card, or NULL. */
static struct model *from_memory(const char *call, const void *address, uint64_t size) {
    void *data = device_memory((uint64_t)address, size);
    if (!data) violate("%s of what is not the card's memory", call);
    return data ? parse_model(data, size) : NULL;
}

EXPORT int32_t axclrtEngineLoadFromMem(const void *address, uint64_t size, uint64_t *id) {
    CALL_IN_CONTEXT("axclrtEngineLoadFromMem");
    if (!address || !id) return ENGINE_NULL;
    return keep("axclrtEngineLoadFromMem", from_memory("axclrtEngineLoadFromMem", address, size), id);
}

EXPORT int32_t axclrtEngineUnload(uint64_t id) {
    CALL_IN_CONTEXT("axclrtEngineUnload");
    if (!model_of(id)) {
        violate("axclrtEngineUnload of no model");
        return ENGINE_ILLEGAL;
    }
    if (has_child("IO", id)) violate("axclrtEngineUnload before axclrtEngineDestroyIO");
    for (int i = 0; i < MAX_OBJECTS; i++) {
        struct object *object = &ledger.objects[i];
        if (object->kind && !strcmp(object->kind, "model context") && object->owner == id) drop_object(object);
    }
    drop_object(find_object("model", id));
    return 0;
}

EXPORT const char *axclrtEngineGetModelCompilerVersion(uint64_t id) { return model_of(id) ? "4.0 standin" : NULL; }

#ifndef WITHOUT_USAGE
static int32_t tell_usage(struct model *model, int64_t *system, int64_t *cmm) {
    if (!model || !system || !cmm) return model ? ENGINE_NULL : ENGINE_ILLEGAL;
    *system = 0, *cmm = (int64_t)model->onnx_bytes;
    return 0;
}

EXPORT int32_t axclrtEngineGetUsageFromModelId(uint64_t id, int64_t *system, int64_t *cmm) {
    CALL_IN_CONTEXT("axclrtEngineGetUsageFromModelId");
    return tell_usage(model_of(id), system, cmm);
}

EXPORT int32_t axclrtEngineGetUsage(const char *path, int64_t *system, int64_t *cmm) {
    CALL_IN_CONTEXT("axclrtEngineGetUsage");
    struct model *model = path ? read_model(path) : NULL;
    int32_t status = tell_usage(model, system, cmm);
    free(model);
    return status;
}
#endif

static int32_t tell_type(struct model *model, int32_t *type) {
    if (!model || !type) return model ? ENGINE_NULL : ENGINE_ILLEGAL;
    *type = model->type;
    return 0;
}

EXPORT int32_t axclrtEngineGetModelTypeFromModelId(uint64_t id, int32_t *type) {
    CALL_IN_CONTEXT("axclrtEngineGetModelTypeFromModelId");
    return tell_type(model_of(id), type);
}

EXPORT int32_t axclrtEngineGetModelType(const char *path, int32_t *type) {
    CALL_IN_CONTEXT("axclrtEngineGetModelType");
    struct model *model = path ? read_model(path) : NULL;
    int32_t status = tell_type(model, type);
    free(model);
    return status;
}

EXPORT int32_t axclrtEngineSetAffinity(uint64_t id, uint32_t set) {
    CALL_IN_CONTEXT("axclrtEngineSetAffinity");
    if (!model_of(id) || !set || set > 7) return ENGINE_ILLEGAL;
    model_of(id)->affinity = set;
    return 0;
}

EXPORT int32_t axclrtEngineGetAffinity(uint64_t id, uint32_t *set) {
    CALL_IN_CONTEXT("axclrtEngineGetAffinity");
    if (!model_of(id) || !set) return set ? ENGINE_ILLEGAL : ENGINE_NULL;
    *set = model_of(id)->affinity;
    return 0;
}

EXPORT int32_t axclrtEngineCreateContext(uint64_t id, uint64_t *context) {
    CALL_IN_CONTEXT("axclrtEngineCreateContext");
    if (!model_of(id) || !context) return context ? ENGINE_ILLEGAL : ENGINE_NULL;
    *context = add_object("model context", id, 0, NULL)->handle;
    return 0;
}
