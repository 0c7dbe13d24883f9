/* What the stand-ins for libax_sys.so and libax_engine.so share; all state lies in libax_sys.so. */
#ifndef STANDIN_AX_H
#define STANDIN_AX_H

#include "ax_types.h"
#include "ledger.h"
#include "model.h"

enum { ALIGN = 128, GUARD = 64, MAX_SPANS = 16 };

/* How CPU and NPU see cached memory. */
enum {
    CACHE_BOARD = 0, /* inputs need a flush; a run lets the CPU see its outputs, as the vendor's samples count on */
    CACHE_COHERENT,  /* both see the same memory: flush and invalidate cost nothing */
    CACHE_STRICT,    /* outputs need an invalidate too, or the CPU sees what was there before */
};

struct ax_state {
    int sys_users, engine_users;
    int mode;       /* of the NPU; -1 while nobody initialized it */
    int foreign;    /* mode that another process has set; -1 for none */
    int cache;
    size_t pool;    /* bytes of CMM */
    uint64_t next_phy;
    int hangs;      /* each release of hanging runs counts it up */
    pthread_cond_t released;
};

extern EXPORT struct ax_state ax_state;

/* CMM: what the CPU writes reaches the NPU by a flush, what the NPU writes reaches the CPU by an invalidate. */
struct block {
    uint64_t phy;
    size_t size;
    unsigned char *cpu, *device; /* the same address where memory is not cached */
    int cached;
    int busy;  /* runs under way that use it */
    int spans; /* what the NPU wrote, and nobody invalidated since: offsets from, and up to */
    size_t unread[MAX_SPANS][2];
};

/* A loaded model. */
struct loaded {
    struct model *model;
    int running, has_thread;
    pthread_t thread; /* that of the first run */
    uint32_t affinity;
    IO_INFO info;
    IOMETA metas[2][MAX_TENSORS];
};

struct block *block_at(uint64_t phy, size_t size);
size_t cmm_free(void);
void check_guard(const struct block *block, const char *call);
void mark_unread(struct block *block, size_t from, size_t to);
int is_unread(const struct block *block, size_t from, size_t to);
standin_runner current_runner(void);
int32_t standin_hang(void);

/* Leave the call with the status that a fault asks for; any but those that run a network may hang at once. */
#define CALL_RUN(name)                                                                 \
    __attribute__((cleanup(unlock_ledger), unused)) int locked = lock_ledger();        \
    int32_t asked_for = enter(name);                                                   \
    if (asked_for < 0) return asked_for

#define CALL(name)                                                                     \
    CALL_RUN(name);                                                                    \
    if (asked_for == FAULT_HANG) return standin_hang()

static inline int lock_ledger(void) { return pthread_mutex_lock(&ledger.lock); }
static inline void unlock_ledger(int *unused) { (void)unused, pthread_mutex_unlock(&ledger.lock); }

#endif
