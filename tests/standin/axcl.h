/* What the parts of the stand-in libaxcl_rt.so share. Signatures and numbers are those of AXCL 3.10. */
#ifndef STANDIN_AXCL_H
#define STANDIN_AXCL_H

#include "ledger.h"
#include "model.h"

enum {
    DEVICE_NULL = (int32_t)0x80300102,
    NOT_OPEN = (int32_t)0x8030010B,
    NO_DEVICE = (int32_t)0x80300184,
    NO_CONTEXT = (int32_t)0x80300284,
    STREAM_ILLEGAL = (int32_t)0x80300303,
    STREAM_TIMEOUT = (int32_t)0x80300305,
    MEMORY_ILLEGAL = (int32_t)0x80300503,
    NO_MEMORY = (int32_t)0x80300509,
    NOT_DEVICE_MEMORY = (int32_t)0x80300581,
    ENGINE_NULL = (int32_t)0x80300702,
    ENGINE_ILLEGAL = (int32_t)0x80300703,
    UNEXPECTED_RESPONSE = (int32_t)0x8030070A,
    EXECUTE_FAIL = (int32_t)0x8030070C,
    BAD_INDEX = (int32_t)0x80300781,
};

enum { CARDS = 2, FIRST_CARD = 4, MAX_TASKS = 32 };

/* A copy, or a run of a network. */
struct task {
    void *to; /* host addresses: of host memory, or of what backs the card's */
    const void *from;
    size_t size;
    struct model *model; /* NULL: a copy */
    void *buffers[2][MAX_TENSORS];
    int32_t fault;
};

struct stream {
    int count;
    struct task tasks[MAX_TASKS];
};

/* Leave the call with the status of a fault, or where this thread has no context. */
#define CALL(name)                                                                     \
    __attribute__((cleanup(unlock_ledger), unused)) int locked = lock_ledger();        \
    int32_t asked_for = enter(name);                                                   \
    if (asked_for < 0) return asked_for

#define CALL_IN_CONTEXT(name)                                                          \
    CALL(name);                                                                        \
    if (current_card() < 0) {                                                          \
        violate("%s without a context in this thread", name);                          \
        return NO_CONTEXT;                                                             \
    }

static inline int lock_ledger(void) { return pthread_mutex_lock(&ledger.lock); }
static inline void unlock_ledger(int *unused) { (void)unused, pthread_mutex_unlock(&ledger.lock); }

int current_card(void); /* from 0; -1 where this thread has no context */
uint64_t current_context(void);
/* Host address behind the card's `address`, or NULL unless `size` bytes lie in one allocation. */
void *device_memory(uint64_t address, size_t size);
struct stream *find_stream(void *handle);
int32_t add_task(struct stream *stream, const struct task *task);
int32_t run_task(const struct task *task);
struct model *model_of(uint64_t id);
void reset_memory(void);
void reset_engine(void);

#endif
