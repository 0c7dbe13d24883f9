/* What tests call; the same in every stand-in library.
 *
 * A program that knows nothing of it is steered by its environment: ROMA_STANDIN_SLOW_MS, the time of each run;
 * ROMA_STANDIN_FAULT=CALL:NTH:STATUS, with STATUS in hexadecimal; ROMA_STANDIN_CACHE, a number of ax.h;
 * ROMA_STANDIN_NODES, to open the device nodes that the genuine library opens;
 * ROMA_STANDIN_REPORT, a file to which violations and what is left are added when the program ends.
 */
#define _GNU_SOURCE
#include "ledger.h"
#include "model.h"
#include <fcntl.h>
#include <unistd.h>

struct ledger ledger = {.lock = PTHREAD_MUTEX_INITIALIZER};
standin_runner runner;

/* Each library's own state; what hangs comes back. */
void standin_reset_state(void);

int nodes_open(const char *const *nodes) {
    for (; getenv("ROMA_STANDIN_NODES") && *nodes; nodes++) {
        int fd = open(*nodes, O_RDWR | O_CLOEXEC);
        if (fd < 0) return 0;
        close(fd);
    }
    return 1;
}

EXPORT void standin_reset(void) {
    pthread_mutex_lock(&ledger.lock);
    standin_reset_state();
    pthread_mutex_unlock(&ledger.lock);
    while (ledger.running) usleep(1000); /* whose buffers must not go away */
    pthread_mutex_lock(&ledger.lock);
    for (int i = 0; i < MAX_OBJECTS; i++)
        if (ledger.objects[i].kind) drop_object(&ledger.objects[i]);
    ledger.fault_count = ledger.slow_ms = 0;
    ledger.violations[0] = ledger.calls[0] = 0, ledger.calls_used = 0;
    pthread_mutex_unlock(&ledger.lock);
}

EXPORT void standin_fault(const char *call, int nth, int32_t status, int sticky) {
    if (ledger.fault_count == MAX_FAULTS) abort();
    struct fault *fault = &ledger.faults[ledger.fault_count++];
    *fault = (struct fault){.nth = nth, .status = status, .sticky = sticky};
    snprintf(fault->call, sizeof fault->call, "%s", call);
}

EXPORT void standin_reset_records(void) { ledger.calls[0] = 0, ledger.calls_used = 0; }

EXPORT void standin_clear_faults(void) { ledger.fault_count = 0; }

EXPORT void standin_slow(int ms) { ledger.slow_ms = ms; }

EXPORT const char *standin_violations(void) { return ledger.violations; }

EXPORT const char *standin_calls(void) { return ledger.calls; }

EXPORT void standin_set_runner(standin_runner function) { runner = function; }

/* Number of live objects of `kind`, or of all for "". */
EXPORT int standin_alive(const char *kind) {
    int count = 0;
    for (int i = 0; i < MAX_OBJECTS; i++) {
        const char *found = ledger.objects[i].kind;
        count += found && (!*kind || !strcmp(found, kind));
    }
    return count;
}

/* Bytes of memory, on either side, that live. */
EXPORT size_t standin_bytes(void) {
    size_t bytes = 0;
    for (int i = 0; i < MAX_OBJECTS; i++) bytes += ledger.objects[i].kind ? ledger.objects[i].size : 0;
    return bytes;
}

__attribute__((constructor)) static void read_environment(void) {
    const char *slow = getenv("ROMA_STANDIN_SLOW_MS"), *fault = getenv("ROMA_STANDIN_FAULT");
    char call[64];
    int nth;
    unsigned status;
    if (slow) ledger.slow_ms = atoi(slow);
    if (fault && sscanf(fault, "%63[^:]:%d:%x", call, &nth, &status) == 3) standin_fault(call, nth, (int32_t)status, 0);
}

__attribute__((destructor)) static void write_report(void) {
    const char *path = getenv("ROMA_STANDIN_REPORT");
    FILE *file = path ? fopen(path, "a") : NULL;
    if (!file) return;
    fputs(ledger.violations, file);
    for (int i = 0; i < MAX_OBJECTS; i++) {
        struct object *object = &ledger.objects[i];
        if (object->kind && strcmp(object->kind, "model")) fprintf(file, "left: %s of %zu bytes\n", object->kind, object->size);
    }
    fclose(file);
}
