/* Stand-in for libaxcl_rt.so: models, their IO and execution. */
#define _GNU_SOURCE
#include "axcl.h"
#include <math.h>
#include <unistd.h>

struct io_dims { int32_t count, dims[32]; };
struct io { uint64_t buffers[2][MAX_TENSORS], sizes[2][MAX_TENSORS]; };

static int npu_users;

int npu_running(void) { return npu_users; }
void reset_engine(void) { npu_users = 0; }

static struct model *model_of(uint64_t id) {
    struct object *object = find_object("model", id);
    return object ? object->data : NULL;
}

static struct model *model_of_info(void *info) {
    struct object *object = find_object("IO info", (uint64_t)info);
    if (!object) violate("an IO info that is none");
    return object ? model_of(object->owner) : NULL;
}

static struct tensor *tensor_of(void *info, int side, uint32_t index) {
    struct model *model = model_of_info(info);
    return model && index < (uint32_t)model->counts[side] ? &model->tensors[side][index] : NULL;
}

EXPORT int32_t axclrtEngineInit(int32_t vnpu) {
    CALL_IN_CONTEXT("axclrtEngineInit");
    if (vnpu < 0 || vnpu > 3) return ILLEGAL;
    if (npu_users++) violate("axclrtEngineInit twice");
    return 0;
}

EXPORT int32_t axclrtEngineFinalize(void) {
    CALL_IN_CONTEXT("axclrtEngineFinalize");
    if (!npu_users) violate("axclrtEngineFinalize before axclrtEngineInit");
    if (has_child("model", 0)) violate("axclrtEngineFinalize with models loaded");
    npu_users = 0;
    return 0;
}

EXPORT int32_t axclrtEngineLoadFromFile(const char *path, uint64_t *id) {
    CALL_IN_CONTEXT("axclrtEngineLoadFromFile");
    if (!npu_users) violate("axclrtEngineLoadFromFile before axclrtEngineInit");
    struct model *model = read_model(path);
    if (!model) return EXECUTE_FAIL;
    *id = add_object("model", 0, 0, model)->handle;
    return 0;
}

EXPORT int32_t axclrtEngineUnload(uint64_t id) {
    CALL_IN_CONTEXT("axclrtEngineUnload");
    if (!model_of(id)) {
        violate("axclrtEngineUnload of no model");
        return ILLEGAL;
    }
    if (has_child("IO", id)) violate("axclrtEngineUnload before axclrtEngineDestroyIO");
    drop_object(find_object("model", id));
    return 0;
}

EXPORT const char *axclrtEngineGetModelCompilerVersion(uint64_t id) { return model_of(id) ? "4.0 standin" : NULL; }

#ifndef WITHOUT_USAGE
EXPORT int32_t axclrtEngineGetUsageFromModelId(uint64_t id, int64_t *system, int64_t *cmm) {
    CALL_IN_CONTEXT("axclrtEngineGetUsageFromModelId");
    if (!model_of(id)) return ILLEGAL;
    *system = 0, *cmm = (int64_t)model_of(id)->onnx_bytes;
    return 0;
}
#endif

EXPORT int32_t axclrtEngineGetModelTypeFromModelId(uint64_t id, int32_t *kind) {
    CALL_IN_CONTEXT("axclrtEngineGetModelTypeFromModelId");
    *kind = 0;
    return model_of(id) ? 0 : ILLEGAL;
}

EXPORT int32_t axclrtEngineCreateContext(uint64_t id, uint64_t *context) {
    CALL_IN_CONTEXT("axclrtEngineCreateContext");
    *context = id + 1000;
    return model_of(id) ? 0 : ILLEGAL;
}

EXPORT int32_t axclrtEngineGetIOInfo(uint64_t id, void **info) {
    CALL_IN_CONTEXT("axclrtEngineGetIOInfo");
    if (!model_of(id)) return ILLEGAL;
    *info = (void *)add_object("IO info", id, 0, NULL)->handle;
    return 0;
}

EXPORT int32_t axclrtEngineDestroyIOInfo(void *info) {
    CALL_IN_CONTEXT("axclrtEngineDestroyIOInfo");
    struct object *object = find_object("IO info", (uint64_t)info);
    if (!object) violate("axclrtEngineDestroyIOInfo of no IO info");
    if (object) drop_object(object);
    return object ? 0 : ILLEGAL;
}

EXPORT int32_t axclrtEngineCreateIO(void *info, void **io) {
    CALL_IN_CONTEXT("axclrtEngineCreateIO");
    struct object *object = find_object("IO info", (uint64_t)info);
    if (!object) return ILLEGAL;
    *io = (void *)add_object("IO", object->owner, 0, calloc(1, sizeof(struct io)))->handle;
    return 0;
}

EXPORT int32_t axclrtEngineDestroyIO(void *io) {
    CALL_IN_CONTEXT("axclrtEngineDestroyIO");
    struct object *object = find_object("IO", (uint64_t)io);
    if (!object) violate("axclrtEngineDestroyIO of no IO");
    if (object) drop_object(object);
    return object ? 0 : ILLEGAL;
}

static int32_t set_buffer(void *handle, int side, uint32_t index, void *address, uint64_t size) {
    struct object *object = find_object("IO", (uint64_t)handle);
    struct model *model = object ? model_of(object->owner) : NULL;
    if (!model || index >= (uint32_t)model->counts[side]) return BAD_INDEX;
    if (!device_memory((uint64_t)address, size)) {
        violate("a buffer that is not memory of the card");
        return NOT_DEVICE_MEMORY;
    }
    if (size < model->tensors[side][index].bytes) {
        violate("a buffer smaller than its tensor");
        return ILLEGAL;
    }
    struct io *io = object->data;
    io->buffers[side][index] = (uint64_t)address, io->sizes[side][index] = size;
    return 0;
}

static int32_t get_dims(void *info, int side, uint32_t group, uint32_t index, struct io_dims *out) {
    struct tensor *tensor = tensor_of(info, side, index);
    if (!tensor || group) return BAD_INDEX;
    *out = (struct io_dims){.count = tensor->rank};
    memcpy(out->dims, tensor->dims, (size_t)tensor->rank * sizeof(int32_t));
    return 0;
}

static int32_t get_dtype(void *info, int side, uint32_t index, int32_t *kind) {
    static const char *const names[] = {"", "int4", "uint4", "int8", "uint8", "int16", "uint16", "int32", "uint32",
        "int64", "uint64", "fp4", "fp8", "float16", "bfloat16", "float32", "float64"};
    struct tensor *tensor = tensor_of(info, side, index);
    if (!tensor) return BAD_INDEX;
    for (*kind = 16; *kind && strcmp(names[*kind], tensor->dtype);) --*kind;
    return 0;
}

#define SIDE(Name, side)                                                                                        \
    EXPORT uint32_t axclrtEngineGetNum##Name##s(void *info) {                                                   \
        struct model *model = model_of_info(info);                                                              \
        return model ? (uint32_t)model->counts[side] : 0;                                                       \
    }                                                                                                           \
    EXPORT const char *axclrtEngineGet##Name##NameByIndex(void *info, uint32_t index) {                         \
        struct tensor *tensor = tensor_of(info, side, index);                                                   \
        return tensor ? tensor->name : NULL;                                                                    \
    }                                                                                                           \
    EXPORT uint64_t axclrtEngineGet##Name##SizeByIndex(void *info, uint32_t group, uint32_t index) {            \
        struct tensor *tensor = tensor_of(info, side, index);                                                   \
        return tensor && !group ? tensor->bytes : 0;                                                            \
    }                                                                                                           \
    EXPORT int32_t axclrtEngineGet##Name##Dims(void *info, uint32_t group, uint32_t index, struct io_dims *o) { \
        CALL_IN_CONTEXT("axclrtEngineGet" #Name "Dims");                                                        \
        return get_dims(info, side, group, index, o);                                                           \
    }                                                                                                           \
    EXPORT int32_t axclrtEngineGet##Name##DataType(void *info, uint32_t index, int32_t *kind) {                 \
        CALL_IN_CONTEXT("axclrtEngineGet" #Name "DataType");                                                    \
        return get_dtype(info, side, index, kind);                                                              \
    }                                                                                                           \
    EXPORT int32_t axclrtEngineSet##Name##BufferByIndex(void *io, uint32_t index, void *data, uint64_t size) {  \
        CALL_IN_CONTEXT("axclrtEngineSet" #Name "BufferByIndex");                                               \
        return set_buffer(io, side, index, data, size);                                                         \
    }

SIDE(Input, 0)
SIDE(Output, 1)

EXPORT int32_t axclrtEngineExecuteAsync(uint64_t id, uint64_t context, uint32_t group, void *handle, void *queue) {
    CALL_IN_CONTEXT("axclrtEngineExecuteAsync");
    struct stream *stream = find_stream(queue);
    struct object *object = find_object("IO", (uint64_t)handle);
    struct model *model = model_of(id);
    if (!stream || stream->count == MAX_TASKS || !object || !model || context != id + 1000) return ILLEGAL;
    if (group) return BAD_INDEX;
    struct task task = {.model = model, .fault = asked_for};
    struct io *io = object->data;
    for (int side = 0; side < 2; side++)
        for (int i = 0; i < model->counts[side]; i++) {
            task.buffers[side][i] = device_memory(io->buffers[side][i], model->tensors[side][i].bytes);
            if (task.buffers[side][i]) continue;
            violate("axclrtEngineExecuteAsync without a buffer for %s", model->tensors[side][i].name);
            return NULL_POINTER;
        }
    stream->tasks[stream->count++] = task;
    return 0;
}

int32_t run_task(struct task *task) {
    if (!task->model) {
        memcpy(task->to, task->from, task->size);
        return 0;
    }
    if (ledger.slow_ms) usleep((useconds_t)ledger.slow_ms * 1000);
    struct model *model = task->model;
    if (!runner || runner(model->onnx, model->onnx_bytes, task->buffers[0], task->buffers[1])) return EXECUTE_FAIL;
    for (int i = 0; i < model->counts[1] && task->fault; i++) {
        size_t bytes = model->tensors[1][i].bytes;
        if (task->fault == FAULT_SHORT) memset((char *)task->buffers[1][i] + bytes / 2, 0, bytes - bytes / 2);
        if (task->fault == FAULT_NAN)
            for (size_t k = 0; k < bytes / sizeof(float); k++) ((float *)task->buffers[1][i])[k] = NAN;
    }
    return 0;
}
