/* Calls a board's libraries as far as they go without a board, and prints what each call gives: drive [MODEL...] */
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static void *symbol(void *library, const char *name) {
    void *found = dlsym(library, name);
    if (!found) printf("%s missing\n", name);
    return found;
}

static void *opened(const char *name) {
    void *library = dlopen(name, RTLD_NOW | RTLD_GLOBAL);
    if (!library) printf("%s %s\n", name, dlerror());
    return library;
}

static void *content(const char *path, size_t *size) {
    FILE *file = fopen(path, "rb");
    if (!file) return NULL;
    fseek(file, 0, SEEK_END);
    *size = (size_t)ftell(file);
    rewind(file);
    void *data = malloc(*size + 1);
    if (data && fread(data, 1, *size, file) != *size) *size = 0;
    fclose(file);
    return data;
}

int main(int count, char **words) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    void *sys = opened("libax_sys.so"), *engine = sys ? opened("libax_engine.so") : NULL;
    if (!sys || !engine) return 1;
    int32_t (*init)(void) = (int32_t(*)(void))symbol(sys, "AX_SYS_Init");
    int32_t (*deinit)(void) = (int32_t(*)(void))symbol(sys, "AX_SYS_Deinit");
    const char *(*version)(void) = (const char *(*)(void))symbol(engine, "AX_ENGINE_GetVersion");
    int32_t (*type_of)(const void *, uint32_t, int32_t *) =
        (int32_t(*)(const void *, uint32_t, int32_t *))symbol(engine, "AX_ENGINE_GetModelType");
    if (!init || !deinit || !version || !type_of) return 1;
    printf("AX_ENGINE_GetVersion %s\n", version());
    int32_t code = init();
    printf("AX_SYS_Init 0x%08X\n", (unsigned)code);
    for (int i = 1; i < count; i++) {
        size_t size = 0;
        void *data = content(words[i], &size);
        int32_t type = -1, status = data ? type_of(data, (uint32_t)size, &type) : -1;
        printf("AX_ENGINE_GetModelType 0x%08X %d %s\n", (unsigned)status, (int)type, words[i]);
        free(data);
    }
    if (code == 0) printf("AX_SYS_Deinit 0x%08X\n", (unsigned)deinit());
    return 0;
}
