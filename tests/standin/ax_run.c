/* Stand-in for libax_engine.so: execution, on the NPU's side of the memory. */
#define _GNU_SOURCE
#include "ax.h"
#include <math.h>
#include <unistd.h>

/* Reserved words of IO that are checked: a widespread client's struct ends 8 bytes before the vendor's. */
enum { CHECKED_WORDS = 9 };

#ifdef AX620E
enum { PARALLEL_IS_RESERVED = 1 };
#else
enum { PARALLEL_IS_RESERVED = 0 };
#endif

struct run {
    struct model *model;
    struct block *blocks[2][MAX_TENSORS];
    void *buffers[2][MAX_TENSORS]; /* as the NPU sees them */
    int32_t fault;
};

static int words_are_zero(const uint64_t *words, int count) {
    for (int i = 0; i < count; i++)
        if (words[i]) return 0;
    return 1;
}

static void check_buffer(const IO_BUFFER *buffer, const struct block *block, const struct tensor *tensor) {
    const char *name = tensor->name;
    if (buffer->phyAddr % ALIGN) violate("run: %s is not aligned to %d bytes", name, ALIGN);
    size_t offset = buffer->phyAddr - block->phy;
    if (buffer->pVirAddr != block->cpu + offset && buffer->pVirAddr != block->device + offset)
        violate("run: %s has addresses of two blocks", name);
    if (buffer->pStride || buffer->nStrideSize) violate("run: %s has a stride, which is not simulated", name);
    if (!words_are_zero(buffer->u64Reserved, 11)) violate("run: a reserved word of %s is not 0", name);
    check_guard(block, "run");
}

static void check_input(const struct block *block, const void *device, const struct tensor *tensor) {
    size_t offset = (size_t)((const unsigned char *)device - block->device);
    const unsigned char *cpu = block->cpu + offset;
    if (device == cpu) return;
    if (ax_state.cache == CACHE_STRICT && is_unread(block, offset, offset + tensor->bytes)) return; /* of another run */
    if (memcmp(device, cpu, tensor->bytes))
        violate("run: input %s was not flushed since it was written", tensor->name);
}

/* Find the blocks of all tensors of one side; 0 or the status to give back. */
static int32_t take_side(struct run *run, int side, const IO_BUFFER *buffers, uint32_t count) {
    if (count != (uint32_t)run->model->counts[side]) {
        violate("run with %u %s, the model has %d", count, side ? "outputs" : "inputs", run->model->counts[side]);
        return NPU_ILLEGAL;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct tensor *tensor = &run->model->tensors[side][i];
        struct block *block = block_at(buffers[i].phyAddr, buffers[i].nSize);
        if (!block || buffers[i].nSize < tensor->bytes) {
            violate("run: %s has no block of its %zu bytes", tensor->name, tensor->bytes);
            return NPU_ILLEGAL;
        }
        check_buffer(&buffers[i], block, tensor);
        run->blocks[side][i] = block;
        run->buffers[side][i] = block->device + (buffers[i].phyAddr - block->phy);
        if (!side) check_input(block, run->buffers[0][i], tensor);
        for (int k = 0; side && k < run->model->counts[0]; k++)
            if (run->blocks[0][k] == block) violate("run: %s is input and output", tensor->name);
    }
    return 0;
}

static void check_thread(struct loaded *loaded) {
    if (loaded->running) violate("run while another run of the handle is under way");
    if (loaded->has_thread && !pthread_equal(loaded->thread, pthread_self())) violate("run from a second thread");
    loaded->thread = pthread_self(), loaded->has_thread = 1;
}

/* The network itself: the registered callback, or for a model without one the inputs as outputs. */
static int32_t execute(struct run *run) {
    void *whole[MAX_TENSORS];
    size_t bytes[MAX_TENSORS];
    if (ledger.slow_ms) usleep((useconds_t)ledger.slow_ms * 1000);
    for (int i = 0; i < run->model->counts[1]; i++) { /* what a short output keeps */
        bytes[i] = run->model->tensors[1][i].bytes;
        whole[i] = run->fault == FAULT_SHORT ? memcpy(malloc(bytes[i]), run->buffers[1][i], bytes[i]) : NULL;
    }
    if (!run->model->onnx_bytes) copy_inputs(run->model, run->buffers[0], run->buffers[1]);
    else if (!current_runner() || current_runner()(run->model->onnx, run->model->onnx_bytes, run->buffers[0], run->buffers[1]))
        return NPU_UNKNOWN;
    for (int i = 0; i < run->model->counts[1]; i++) {
        unsigned char *out = run->buffers[1][i];
        if (whole[i]) memcpy(out + bytes[i] / 2, (char *)whole[i] + bytes[i] / 2, bytes[i] - bytes[i] / 2);
        for (size_t k = 0; run->fault == FAULT_NAN && k < bytes[i] / sizeof(float); k++) ((float *)out)[k] = NAN;
        free(whole[i]);
    }
    return 0;
}

static void mark(struct run *run, int busy, int written) {
    for (int side = 0; side < 2; side++)
        for (int i = 0; i < run->model->counts[side]; i++) run->blocks[side][i]->busy += busy;
    for (int i = 0; i < run->model->counts[1] && written; i++) {
        struct block *block = run->blocks[1][i];
        size_t bytes = run->model->tensors[1][i].bytes, from = (size_t)((unsigned char *)run->buffers[1][i] - block->device);
        if (block->cached) mark_unread(block, from, from + bytes);
        if (block->cached && ax_state.cache == CACHE_BOARD) memmove(block->cpu + from, block->device + from, bytes);
    }
}

/* With the lock held, which is given back while the network runs. */
static int32_t run_locked(struct loaded *loaded, const IO *io, int32_t fault) {
    struct run run = {.model = loaded->model, .fault = fault};
    if (PARALLEL_IS_RESERVED && io->nParallelRun) violate("run: a reserved word of the IO is not 0");
    if (!words_are_zero(io->u64Reserved, CHECKED_WORDS)) violate("run: a reserved word of the IO is not 0");
    if (io->nBatchSize > 1) return NPU_ILLEGAL; /* more than nMaxBatchSize */
    check_thread(loaded);
    int32_t status = take_side(&run, 0, io->pInputs, io->nInputSize);
    if (!status) status = take_side(&run, 1, io->pOutputs, io->nOutputSize);
    if (status) return status;
    loaded->running++, ledger.running++;
    mark(&run, 1, 0);
    if (fault == FAULT_HANG) status = standin_hang();
    else {
        pthread_mutex_unlock(&ledger.lock);
        status = execute(&run);
        pthread_mutex_lock(&ledger.lock);
    }
    mark(&run, -1, !status);
    loaded->running--, ledger.running--;
    return status;
}

static int32_t run(const char *call, void *handle, void *context, int needs_context, const IO *io, int32_t fault) {
    struct object *object = find_object("handle", (uint64_t)handle), *found = find_object("context", (uint64_t)context);
    if (!object || !io || !io->pInputs || !io->pOutputs) {
        violate("%s without a handle or buffers", call);
        return NPU_NULL;
    }
    int owned = needs_context ? found && found->owner == (uint64_t)handle : has_child("context", (uint64_t)handle);
    if (!owned) {
        violate("%s without a context of the handle", call);
        return NPU_NO_SUCH;
    }
    return run_locked(object->data, io, fault);
}

EXPORT int32_t AX_ENGINE_RunSync(void *handle, IO *io) {
    CALL_RUN("AX_ENGINE_RunSync");
    return run("AX_ENGINE_RunSync", handle, NULL, 0, io, asked_for);
}

#ifndef BROKEN_SDK
EXPORT int32_t AX_ENGINE_RunSyncV2(void *handle, void *context, IO *io) {
    CALL_RUN("AX_ENGINE_RunSyncV2");
    return run("AX_ENGINE_RunSyncV2", handle, context, 1, io, asked_for);
}
#endif

#ifndef OLD_SDK
EXPORT int32_t AX_ENGINE_RunGroupIOSync(void *handle, void *context, uint32_t index, IO *io) {
    CALL_RUN("AX_ENGINE_RunGroupIOSync");
    struct object *object = find_object("handle", (uint64_t)handle);
    if (object && index >= (uint32_t)((struct loaded *)object->data)->model->groups) return NPU_ILLEGAL;
    return run("AX_ENGINE_RunGroupIOSync", handle, context, 1, io, asked_for);
}
#endif
