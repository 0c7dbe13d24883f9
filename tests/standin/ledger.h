/* Bookkeeping of the stand-in libraries: what lives, what was done wrong, and faults on demand.
 *
 * Each library includes this once per source file and has one `struct ledger`. Tests drive it through the
 * exported standin_* functions; a client of the vendor's interface never sees them.
 */
#ifndef STANDIN_LEDGER_H
#define STANDIN_LEDGER_H

#include <pthread.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

enum { MAX_FAULTS = 16, MAX_OBJECTS = 1024, LOG_SIZE = 16384 };

/* What a faulty execution does instead of failing with a status. */
enum { FAULT_HANG = 1, FAULT_NAN = 2, FAULT_SHORT = 3 };

struct fault {
    char call[64]; /* "*" for every call */
    int nth;       /* from 1 on, counted since the fault was set */
    int sticky;    /* also all calls after the nth */
    int seen;
    int32_t status;
};

struct object {
    const char *kind; /* NULL: a free slot */
    uint64_t handle;
    uint64_t owner; /* handle of what it was made from */
    size_t size;    /* bytes, for memory */
    void *data;
};

struct ledger {
    pthread_mutex_t lock;
    struct object objects[MAX_OBJECTS];
    struct fault faults[MAX_FAULTS];
    int fault_count;
    uint64_t next_handle;
    char violations[LOG_SIZE]; /* one line each */
    char calls[64 * 1024];     /* names of all calls, one line each */
    size_t calls_used;
    int slow_ms;
    int running; /* networks under way */
};

extern EXPORT struct ledger ledger; /* where a runtime has two libraries, they share one */

int standin_alive(const char *kind);

/* Whether `nodes`, up to a NULL, open for reading and writing; true unless ROMA_STANDIN_NODES is set. */
int nodes_open(const char *const *nodes);

static inline void violate(const char *format, ...) {
    size_t used = strlen(ledger.violations);
    va_list arguments;
    if (used > LOG_SIZE - 512) return; /* there are enough of them */
    va_start(arguments, format);
    vsnprintf(ledger.violations + used, 500, format, arguments);
    va_end(arguments);
    strcat(ledger.violations, "\n");
}

/* Note the call; the status that a fault asks for, or 0. */
static inline int32_t enter(const char *call) {
    size_t length = strlen(call);
    if (ledger.calls_used + length + 2 < sizeof ledger.calls) {
        strcat(strcat(ledger.calls + ledger.calls_used, call), "\n");
        ledger.calls_used += length + 1;
    }
    for (int i = 0; i < ledger.fault_count; i++) {
        struct fault *fault = &ledger.faults[i];
        if (strcmp(fault->call, "*") && strcmp(fault->call, call)) continue;
        fault->seen++;
        if (fault->seen == fault->nth || (fault->sticky && fault->seen > fault->nth)) return fault->status;
    }
    return 0;
}

static inline struct object *add_object(const char *kind, uint64_t owner, size_t size, void *data) {
    for (int i = 0; i < MAX_OBJECTS; i++) {
        struct object *object = &ledger.objects[i];
        if (object->kind) continue;
        *object = (struct object){kind, ++ledger.next_handle, owner, size, data};
        return object;
    }
    violate("more than %d objects alive", MAX_OBJECTS);
    return NULL;
}

static inline struct object *find_object(const char *kind, uint64_t handle) {
    for (int i = 0; i < MAX_OBJECTS; i++) {
        struct object *object = &ledger.objects[i];
        if (object->kind && object->handle == handle && !strcmp(object->kind, kind)) return object;
    }
    return NULL;
}

/* Whether anything of `kind` made from `owner` lives; owner 0 means any. */
static inline int has_child(const char *kind, uint64_t owner) {
    for (int i = 0; i < MAX_OBJECTS; i++) {
        struct object *object = &ledger.objects[i];
        if (object->kind && !strcmp(object->kind, kind) && (!owner || object->owner == owner)) return 1;
    }
    return 0;
}

static inline void drop_object(struct object *object) {
    free(object->data);
    memset(object, 0, sizeof *object);
}

#endif
