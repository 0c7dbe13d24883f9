/* Stand-in for libax_engine.so: the NPU, models, and what they tell of themselves. */
#define _GNU_SOURCE
#include "ax.h"

#ifdef AX620E
enum { MODES = 2 };
static const char version[] = "2.6.3sp-standin";
EXPORT int32_t AX_ENGINE_GetTotalOps(void) { return 0; } /* by its presence clients know the chip */
#else
enum { MODES = 4 };
static const char version[] = "2.7.2a-standin";
#endif

static int any_nonzero(const uint32_t *words, int count) {
    for (int i = 0; i < count; i++)
        if (words[i]) return 1;
    return 0;
}

static struct loaded *loaded_of(const char *call, void *handle) {
    struct object *object = find_object("handle", (uint64_t)handle);
    if (!object) violate("%s of no handle", call);
    return object ? object->data : NULL;
}

EXPORT const char *AX_ENGINE_GetVersion(void) { return version; }

EXPORT void AX_ENGINE_NPUReset(void) {}

EXPORT int32_t AX_ENGINE_Init(NPU_ATTR *attr) {
    CALL("AX_ENGINE_Init");
    if (!attr) return NPU_NULL;
    if (!ax_state.sys_users) {
        violate("AX_ENGINE_Init before AX_SYS_Init");
        return NPU_NOT_INIT;
    }
    if (any_nonzero(attr->reserve, 8)) violate("AX_ENGINE_Init: a reserved word is not 0");
    if (attr->eHardMode < 0 || attr->eHardMode >= MODES) return NPU_ILLEGAL;
    if (ax_state.mode >= 0 && ax_state.mode != attr->eHardMode) {
        violate("AX_ENGINE_Init with mode %d: the NPU has mode %d already", attr->eHardMode, ax_state.mode);
        return NPU_BUSY;
    }
    ax_state.mode = attr->eHardMode, ax_state.engine_users++;
    return 0;
}

EXPORT int32_t AX_ENGINE_GetVNPUAttr(NPU_ATTR *attr) {
    CALL("AX_ENGINE_GetVNPUAttr");
    if (!attr) return NPU_NULL;
    if (!ax_state.sys_users) violate("AX_ENGINE_GetVNPUAttr before AX_SYS_Init");
    if (ax_state.mode < 0) return NPU_NOT_INIT;
    *attr = (NPU_ATTR){.eHardMode = ax_state.mode};
    return 0;
}

EXPORT int32_t AX_ENGINE_Deinit(void) {
    CALL("AX_ENGINE_Deinit");
    if (!ax_state.engine_users) violate("AX_ENGINE_Deinit without AX_ENGINE_Init");
    if (ax_state.engine_users && --ax_state.engine_users) return 0;
    if (has_child("handle", 0)) violate("AX_ENGINE_Deinit with models loaded");
    ax_state.mode = ax_state.foreign;
    return 0;
}

/* Whether the cores that a model was compiled for fit the mode. */
static int mode_takes(int type) {
    if (MODES == 2 || ax_state.mode == 1) return !(ax_state.mode == 1 && type);
    return ax_state.mode < 2 || type < 2;
}

EXPORT int32_t AX_ENGINE_GetModelType(const void *data, uint32_t size, int32_t *type) {
    CALL("AX_ENGINE_GetModelType");
    if (!data || !type) return NPU_NULL;
    struct model *model = parse_model(data, size);
    if (!model) return NPU_ILLEGAL;
    *type = model->type;
    free(model);
    return 0;
}

static int32_t dtype_number(const char *dtype) {
    static const char *const names[] = {"", "uint8", "uint16", "float32", "int16", "int8", "int32", "uint32",
        "float64", "bfloat16"};
    int32_t number = 9;
    while (number && strcmp(names[number], dtype)) number--;
    return number;
}

static void describe(struct loaded *loaded) {
    static IOMETA_EX extra;
    struct model *model = loaded->model;
    for (int side = 0; side < 2; side++)
        for (int i = 0; i < model->counts[side]; i++) {
            struct tensor *tensor = &model->tensors[side][i];
            loaded->metas[side][i] = (IOMETA){
                .pName = tensor->name,
                .pShape = tensor->dims,
                .nShapeSize = (uint8_t)tensor->rank,
                .eLayout = channels_last(tensor) ? 1 : 2,
                .eDataType = dtype_number(tensor->dtype),
                .pExtraMeta = &extra,
                .nSize = (uint32_t)tensor->bytes,
            };
        }
    loaded->info = (IO_INFO){
        .pInputs = loaded->metas[0],
        .nInputSize = (uint32_t)model->counts[0],
        .pOutputs = loaded->metas[1],
        .nOutputSize = (uint32_t)model->counts[1],
        .nMaxBatchSize = 1,
    };
}

static int32_t create(const char *call, void **handle, const void *data, uint32_t size, const HANDLE_EXTRA *extra) {
    if (!handle || !data) return NPU_NULL;
    if (!ax_state.engine_users) {
        violate("%s before AX_ENGINE_Init", call);
        return NPU_NOT_INIT;
    }
    if (extra && any_nonzero(extra->reserve, 8)) violate("%s: a reserved word is not 0", call);
    struct model *model = parse_model(data, size);
    if (!model) return NPU_ILLEGAL;
    if (!mode_takes(model->type) || size > cmm_free()) {
        int32_t status = mode_takes(model->type) ? NPU_NO_MEMORY : NPU_NOT_PERMITTED;
        free(model);
        return status;
    }
    struct loaded *loaded = calloc(1, sizeof *loaded);
    *loaded = (struct loaded){.model = model, .affinity = extra && extra->nNpuSet ? extra->nNpuSet : 1};
    describe(loaded);
    uint64_t id = add_object("handle", 0, size, loaded)->handle; /* its size: the weights, in CMM */
    add_object("model", id, 0, model);
    *handle = (void *)id;
    return 0;
}

EXPORT int32_t AX_ENGINE_CreateHandle(void **handle, const void *data, uint32_t size) {
    CALL("AX_ENGINE_CreateHandle");
    return create("AX_ENGINE_CreateHandle", handle, data, size, NULL);
}

EXPORT int32_t AX_ENGINE_CreateHandleV2(void **handle, const void *data, uint32_t size, HANDLE_EXTRA *extra) {
    CALL("AX_ENGINE_CreateHandleV2");
    return create("AX_ENGINE_CreateHandleV2", handle, data, size, extra);
}

static void drop_children(uint64_t owner) {
    for (int i = 0; i < MAX_OBJECTS; i++) {
        struct object *object = &ledger.objects[i];
        if (object->kind && object->owner == owner) drop_object(object);
    }
}

EXPORT int32_t AX_ENGINE_DestroyHandle(void *handle) {
    CALL("AX_ENGINE_DestroyHandle");
    struct loaded *loaded = loaded_of("AX_ENGINE_DestroyHandle", handle);
    if (!loaded) return NPU_NO_SUCH;
    if (loaded->running) {
        violate("AX_ENGINE_DestroyHandle during a run");
        return NPU_BUSY;
    }
    drop_children((uint64_t)handle);
    drop_object(find_object("handle", (uint64_t)handle));
    return 0;
}

EXPORT int32_t AX_ENGINE_CreateContextV2(void *handle, void **context) {
    CALL("AX_ENGINE_CreateContextV2");
    if (!loaded_of("AX_ENGINE_CreateContextV2", handle)) return NPU_NO_SUCH;
    if (!context) return NPU_NULL;
    *context = (void *)add_object("context", (uint64_t)handle, 0, NULL)->handle;
    return 0;
}

EXPORT int32_t AX_ENGINE_CreateContext(void *handle) {
    CALL("AX_ENGINE_CreateContext");
    if (!loaded_of("AX_ENGINE_CreateContext", handle)) return NPU_NO_SUCH;
    add_object("context", (uint64_t)handle, 0, NULL);
    return 0;
}
