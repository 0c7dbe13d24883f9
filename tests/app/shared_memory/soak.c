/* Reads frames of the soak test and looks whether each is of one piece: every pixel says which frame it is of.
 * soak NAME THREADS: one handle for each thread. Prints, per thread, frames read, torn ones and the outcome. */
#define ROMA_SHM_IMPLEMENTATION
#include "../../../contrib/shm/roma_shm.h"
#include <pthread.h>

struct reader {
    pthread_t thread;
    const char *name;
    unsigned long read, torn;
    int outcome;
};

static int is_whole(const struct roma_shm_frame *frame) {
    size_t pixels = (size_t)frame->width * frame->height;
    float depth = (float)(frame->index % 60000);
    for (size_t i = 0; i < pixels; i++)
        if (frame->depth_m[i] != depth || frame->left[i] != (uint8_t)frame->index) return 0;
    return frame->timestamp_ns == (int64_t)frame->index * 1000;
}

static void *work(void *given) {
    struct reader *reader = given;
    struct roma_shm *shm = roma_shm_open(reader->name);
    struct roma_shm_frame frame;
    int got, turn = 0;
    while ((got = (turn++ & 1) ? roma_shm_peek(shm, 20000, &frame) : roma_shm_read(shm, 20000, &frame)) == 1) {
        int peeked = !(turn & 1), whole = is_whole(&frame);
        if (peeked && !roma_shm_intact(shm, &frame)) continue; /* overtaken: not worth a look */
        reader->read++;
        reader->torn += !whole;
    }
    reader->outcome = got;
    roma_shm_close(shm);
    return NULL;
}

int main(int argc, char **argv) {
    struct reader readers[16];
    int count = argc > 2 ? atoi(argv[2]) : 1;
    for (int i = 0; i < count; i++) {
        memset(&readers[i], 0, sizeof readers[i]);
        readers[i].name = argv[1];
        pthread_create(&readers[i].thread, NULL, work, &readers[i]);
    }
    for (int i = 0; i < count; i++) {
        pthread_join(readers[i].thread, NULL);
        printf("%lu %lu %d\n", readers[i].read, readers[i].torn, readers[i].outcome);
    }
    return 0;
}
