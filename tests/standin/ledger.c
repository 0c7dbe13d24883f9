/* What tests call; the same in every stand-in library. */
#define _GNU_SOURCE
#include "ledger.h"
#include "model.h"

struct ledger ledger = {.lock = PTHREAD_MUTEX_INITIALIZER};
standin_runner runner;

/* Each library's own state. */
void standin_reset_state(void);

EXPORT void standin_reset(void) {
    for (int i = 0; i < MAX_OBJECTS; i++)
        if (ledger.objects[i].kind) drop_object(&ledger.objects[i]);
    ledger.fault_count = ledger.slow_ms = 0;
    ledger.violations[0] = ledger.calls[0] = 0, ledger.calls_used = 0;
    standin_reset_state();
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
