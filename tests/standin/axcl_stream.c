/* Stand-in for libaxcl_rt.so: streams.
 *
 * Copies and executions wait in their stream until it is synchronized, so that reading an output too early shows.
 */
#define _GNU_SOURCE
#include "axcl.h"
#include <math.h>
#include <unistd.h>

enum { LONG_MS = 60000 }; /* a wait without a limit, on a card that hangs */

EXPORT int32_t axclrtCreateStream(void **stream) {
    CALL_IN_CONTEXT("axclrtCreateStream");
    if (!stream) return STREAM_ILLEGAL;
    *stream = (void *)add_object("stream", current_context(), 0, calloc(1, sizeof(struct stream)))->handle;
    return 0;
}

struct stream *find_stream(void *handle) {
    struct object *object = find_object("stream", (uint64_t)handle);
    return object ? object->data : NULL;
}

static int32_t destroy(const char *call, void *handle, int forced) {
    struct stream *stream = find_stream(handle);
    if (!stream) {
        violate("%s of no stream", call);
        return STREAM_ILLEGAL;
    }
    if (stream->count && !forced) violate("%s with work in it", call);
    drop_object(find_object("stream", (uint64_t)handle));
    return 0;
}

EXPORT int32_t axclrtDestroyStream(void *handle) {
    CALL_IN_CONTEXT("axclrtDestroyStream");
    return destroy("axclrtDestroyStream", handle, 0);
}

EXPORT int32_t axclrtDestroyStreamForce(void *handle) {
    CALL_IN_CONTEXT("axclrtDestroyStreamForce");
    return destroy("axclrtDestroyStreamForce", handle, 1);
}

int32_t add_task(struct stream *stream, const struct task *task) {
    if (!stream || stream->count == MAX_TASKS) return STREAM_ILLEGAL;
    stream->tasks[stream->count++] = *task;
    return 0;
}

static void spoil(const struct task *task) {
    for (int i = 0; i < task->model->counts[1]; i++) {
        size_t bytes = task->model->tensors[1][i].bytes;
        if (task->fault == FAULT_SHORT) memset((char *)task->buffers[1][i] + bytes / 2, 0, bytes - bytes / 2);
        for (size_t k = 0; task->fault == FAULT_NAN && k < bytes / sizeof(float); k++)
            ((float *)task->buffers[1][i])[k] = NAN;
    }
}

int32_t run_task(const struct task *task) {
    if (!task->model) {
        memcpy(task->to, task->from, task->size);
        return 0;
    }
    struct model *model = task->model;
    if (task->fault == FAULT_HANG) return UNEXPECTED_RESPONSE; /* where nobody set a limit */
    if (ledger.slow_ms) usleep((useconds_t)ledger.slow_ms * 1000);
    void *const *inputs = task->buffers[0], *const *outputs = task->buffers[1];
    if (!model->onnx_bytes) copy_inputs(model, inputs, outputs);
    else if (!runner || runner(model->onnx, model->onnx_bytes, inputs, outputs)) return EXECUTE_FAIL;
    spoil(task);
    return 0;
}

static int32_t synchronize(const char *call, void *handle, int32_t timeout_ms) {
    struct stream *stream = find_stream(handle);
    if (!stream) {
        violate("%s of no stream", call);
        return STREAM_ILLEGAL;
    }
    int32_t status = 0;
    for (int i = 0; i < stream->count && !status; i++) {
        if (stream->tasks[i].fault == FAULT_HANG) {
            usleep((useconds_t)timeout_ms * 1000);
            status = STREAM_TIMEOUT;
        } else {
            status = run_task(&stream->tasks[i]);
        }
    }
    stream->count = 0; /* a card that hangs is reset by its driver: nothing stays under way */
    return status;
}

EXPORT int32_t axclrtSynchronizeStream(void *handle) {
    CALL_IN_CONTEXT("axclrtSynchronizeStream");
    return synchronize("axclrtSynchronizeStream", handle, LONG_MS);
}

EXPORT int32_t axclrtSynchronizeStreamWithTimeout(void *handle, int32_t timeout_ms) {
    CALL_IN_CONTEXT("axclrtSynchronizeStreamWithTimeout");
    return synchronize("axclrtSynchronizeStreamWithTimeout", handle, timeout_ms < 0 ? LONG_MS : timeout_ms);
}
