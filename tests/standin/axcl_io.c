/* Stand-in for libaxcl_rt.so: inputs and outputs of a model, and its execution. */
#define _GNU_SOURCE
#include "axcl.h"

struct io_dims { int32_t count, dims[32]; };
struct io { uint64_t buffers[2][MAX_TENSORS], sizes[2][MAX_TENSORS]; };

static struct model *model_of_info(void *info) {
    struct object *object = find_object("IO info", (uint64_t)info);
    if (!object) violate("an IO info that is none");
    return object ? model_of(object->owner) : NULL;
}

static struct tensor *tensor_of(void *info, int side, uint32_t index) {
    struct model *model = model_of_info(info);
    return model && index < (uint32_t)model->counts[side] ? &model->tensors[side][index] : NULL;
}

static int in_groups(void *info, uint32_t group) { return group < (uint32_t)model_of_info(info)->groups; }

static int32_t index_of(struct model *model, int side, const char *name) {
    for (int i = 0; model && name && i < model->counts[side]; i++)
        if (!strcmp(model->tensors[side][i].name, name)) return i;
    return -1;
}

EXPORT int32_t axclrtEngineGetIOInfo(uint64_t id, void **info) {
    CALL_IN_CONTEXT("axclrtEngineGetIOInfo");
    if (!model_of(id) || !info) return info ? ENGINE_ILLEGAL : ENGINE_NULL;
    *info = (void *)add_object("IO info", id, 0, NULL)->handle;
    return 0;
}

EXPORT int32_t axclrtEngineDestroyIOInfo(void *info) {
    CALL_IN_CONTEXT("axclrtEngineDestroyIOInfo");
    struct object *object = find_object("IO info", (uint64_t)info);
    if (!object) violate("axclrtEngineDestroyIOInfo of no IO info");
    if (object) drop_object(object);
    return object ? 0 : ENGINE_ILLEGAL;
}

EXPORT int32_t axclrtEngineGetShapeGroupsCount(void *info, int32_t *count) {
    CALL_IN_CONTEXT("axclrtEngineGetShapeGroupsCount");
    if (!model_of_info(info) || !count) return count ? ENGINE_ILLEGAL : ENGINE_NULL;
    *count = model_of_info(info)->groups;
    return 0;
}

EXPORT int32_t axclrtEngineCreateIO(void *info, void **io) {
    CALL_IN_CONTEXT("axclrtEngineCreateIO");
    struct object *object = find_object("IO info", (uint64_t)info);
    if (!object || !io) return io ? ENGINE_ILLEGAL : ENGINE_NULL;
    *io = (void *)add_object("IO", object->owner, 0, calloc(1, sizeof(struct io)))->handle;
    return 0;
}

EXPORT int32_t axclrtEngineDestroyIO(void *io) {
    CALL_IN_CONTEXT("axclrtEngineDestroyIO");
    struct object *object = find_object("IO", (uint64_t)io);
    if (!object) violate("axclrtEngineDestroyIO of no IO");
    if (object) drop_object(object);
    return object ? 0 : ENGINE_ILLEGAL;
}

EXPORT int32_t axclrtEngineSetDynamicBatchSize(void *io, uint32_t size) {
    CALL_IN_CONTEXT("axclrtEngineSetDynamicBatchSize");
    return find_object("IO", (uint64_t)io) && size <= 1 ? 0 : ENGINE_ILLEGAL;
}

static struct model *model_of_io(void *handle, struct io **io) {
    struct object *object = find_object("IO", (uint64_t)handle);
    *io = object ? object->data : NULL;
    return object ? model_of(object->owner) : NULL;
}

static int32_t set_buffer(void *handle, int side, int64_t index, const void *address, uint64_t size) {
    struct io *io;
    struct model *model = model_of_io(handle, &io);
    if (!model || index < 0 || index >= model->counts[side]) return BAD_INDEX;
    if (!device_memory((uint64_t)address, size)) {
        violate("a buffer that is not memory of the card");
        return NOT_DEVICE_MEMORY;
    }
    if (size < model->tensors[side][index].bytes) {
        violate("a buffer smaller than its tensor");
        return ENGINE_ILLEGAL;
    }
    io->buffers[side][index] = (uint64_t)address, io->sizes[side][index] = size;
    return 0;
}

static int32_t get_buffer(void *handle, int side, int64_t index, void **address, uint64_t *size) {
    struct io *io;
    struct model *model = model_of_io(handle, &io);
    if (!model || index < 0 || index >= model->counts[side]) return BAD_INDEX;
    if (!address || !size) return ENGINE_NULL;
    *address = (void *)io->buffers[side][index], *size = io->sizes[side][index];
    return 0;
}

static int64_t index_in(void *handle, int side, const char *name) {
    struct io *io;
    return index_of(model_of_io(handle, &io), side, name);
}

static int32_t get_dims(void *info, int side, uint32_t group, uint32_t index, struct io_dims *out) {
    struct tensor *tensor = tensor_of(info, side, index);
    if (!tensor || !in_groups(info, group)) return BAD_INDEX;
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

static int32_t get_layout(void *info, int side, uint32_t index, int32_t *layout) {
    struct tensor *tensor = tensor_of(info, side, index);
    if (!tensor) return BAD_INDEX;
    *layout = channels_last(tensor) ? 1 : 2;
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
    EXPORT int32_t axclrtEngineGet##Name##IndexByName(void *info, const char *name) {                           \
        return index_of(model_of_info(info), side, name);                                                       \
    }                                                                                                           \
    EXPORT uint64_t axclrtEngineGet##Name##SizeByIndex(void *info, uint32_t group, uint32_t index) {            \
        struct tensor *tensor = tensor_of(info, side, index);                                                   \
        return tensor && in_groups(info, group) ? tensor->bytes : 0;                                            \
    }                                                                                                           \
    EXPORT int32_t axclrtEngineGet##Name##Dims(void *info, uint32_t group, uint32_t index, struct io_dims *o) { \
        CALL_IN_CONTEXT("axclrtEngineGet" #Name "Dims");                                                        \
        return get_dims(info, side, group, index, o);                                                           \
    }                                                                                                           \
    EXPORT int32_t axclrtEngineGet##Name##DataType(void *info, uint32_t index, int32_t *kind) {                 \
        CALL_IN_CONTEXT("axclrtEngineGet" #Name "DataType");                                                    \
        return get_dtype(info, side, index, kind);                                                              \
    }                                                                                                           \
    EXPORT int32_t axclrtEngineGet##Name##DataLayout(void *info, uint32_t index, int32_t *layout) {             \
        CALL_IN_CONTEXT("axclrtEngineGet" #Name "DataLayout");                                                  \
        return get_layout(info, side, index, layout);                                                           \
    }                                                                                                           \
    EXPORT int32_t axclrtEngineSet##Name##BufferByIndex(void *io, uint32_t i, const void *data, uint64_t size) { \
        CALL_IN_CONTEXT("axclrtEngineSet" #Name "BufferByIndex");                                               \
        return set_buffer(io, side, i, data, size);                                                             \
    }                                                                                                           \
    EXPORT int32_t axclrtEngineSet##Name##BufferByName(void *io, const char *n, const void *data, uint64_t s) { \
        CALL_IN_CONTEXT("axclrtEngineSet" #Name "BufferByName");                                                \
        return set_buffer(io, side, index_in(io, side, n), data, s);                                            \
    }                                                                                                           \
    EXPORT int32_t axclrtEngineGet##Name##BufferByIndex(void *io, uint32_t i, void **data, uint64_t *size) {    \
        CALL_IN_CONTEXT("axclrtEngineGet" #Name "BufferByIndex");                                               \
        return get_buffer(io, side, i, data, size);                                                             \
    }                                                                                                           \
    EXPORT int32_t axclrtEngineGet##Name##BufferByName(void *io, const char *n, void **data, uint64_t *size) {  \
        CALL_IN_CONTEXT("axclrtEngineGet" #Name "BufferByName");                                                \
        return get_buffer(io, side, index_in(io, side, n), data, size);                                         \
    }

SIDE(Input, 0)
SIDE(Output, 1)

/* The execution as a task; 0 or the status to give back. */
static int32_t make_run(const char *call, struct task *task, uint64_t id, uint64_t context, uint32_t group, void *handle) {
    struct object *object = find_object("IO", (uint64_t)handle), *of = find_object("model context", context);
    struct model *model = model_of(id);
    if (!object || object->owner != id || !model || !of || of->owner != id) return ENGINE_ILLEGAL;
    if (group >= (uint32_t)model->groups) return BAD_INDEX;
    task->model = model;
    struct io *io = object->data;
    for (int side = 0; side < 2; side++)
        for (int i = 0; i < model->counts[side]; i++) {
            task->buffers[side][i] = device_memory(io->buffers[side][i], model->tensors[side][i].bytes);
            if (task->buffers[side][i]) continue;
            violate("%s without a buffer for %s", call, model->tensors[side][i].name);
            return ENGINE_NULL;
        }
    return 0;
}

EXPORT int32_t axclrtEngineExecute(uint64_t id, uint64_t context, uint32_t group, void *handle) {
    CALL_IN_CONTEXT("axclrtEngineExecute");
    struct task task = {.fault = asked_for};
    int32_t status = make_run("axclrtEngineExecute", &task, id, context, group, handle);
    return status ? status : run_task(&task);
}

EXPORT int32_t axclrtEngineExecuteAsync(uint64_t id, uint64_t context, uint32_t group, void *handle, void *queue) {
    CALL_IN_CONTEXT("axclrtEngineExecuteAsync");
    struct task task = {.fault = asked_for};
    int32_t status = make_run("axclrtEngineExecuteAsync", &task, id, context, group, handle);
    return status ? status : add_task(find_stream(queue), &task);
}
