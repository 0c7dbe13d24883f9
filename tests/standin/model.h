/* The stand-ins' model file: a few lines of text, an empty line, then the ONNX file that a test's runner executes.
 *
 *     ROMA-STANDIN 1
 *     type 0
 *     groups 1
 *     input left float32 1 1 160 320
 *     output disparity float32 1 1 160 320
 */
#ifndef STANDIN_MODEL_H
#define STANDIN_MODEL_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_TENSORS = 8, MAX_RANK = 8 };

struct tensor {
    char name[64];
    char dtype[16];
    int rank;
    int32_t dims[MAX_RANK];
    size_t bytes;
};

struct model {
    int type;      /* number of NPU cores - 1; this line and the next may be left out */
    int groups;    /* of shapes, all alike */
    uint32_t affinity;
    int counts[2]; /* inputs, outputs */
    struct tensor tensors[2][MAX_TENSORS];
    size_t onnx_bytes;
    unsigned char *onnx; /* behind this struct */
};

/* Runs the network: 0 for success. Inputs and outputs in the order of the file. */
typedef int (*standin_runner)(const void *onnx, size_t onnx_bytes, void *const *inputs, void *const *outputs);
extern standin_runner runner;

/* Layout of an image whose last dimension is that of its channels. */
static inline int channels_last(const struct tensor *tensor) {
    return tensor->rank == 4 && tensor->dims[3] <= 4 && tensor->dims[1] > 4;
}

/* For a model without a network: each output is a copy of an input. */
static inline void copy_inputs(const struct model *model, void *const *inputs, void *const *outputs) {
    for (int i = 0; i < model->counts[1]; i++) {
        int from = i % model->counts[0];
        size_t bytes = model->tensors[0][from].bytes, room = model->tensors[1][i].bytes;
        memcpy(outputs[i], inputs[from], bytes < room ? bytes : room);
    }
}

static inline size_t dtype_bytes(const char *dtype) {
    size_t digits = strcspn(dtype, "0123456789");
    return (size_t)atoi(dtype + digits) / 8; /* "float32", "uint8", "bfloat16" */
}

/* Read one line into `model`; 0 where it is not understood. */
static inline int parse_line(struct model *model, char *line) {
    char *rest = NULL, *side = strtok_r(line, " ", &rest);
    int which = side && !strcmp(side, "output");
    char *name = strtok_r(NULL, " ", &rest), *dtype = strtok_r(NULL, " ", &rest), *number;
    if (name && (!strcmp(side, "type") || !strcmp(side, "groups"))) {
        *(*side == 't' ? &model->type : &model->groups) = atoi(name);
        return 1;
    }
    if (!name || !dtype || (!which && strcmp(side, "input")) || model->counts[which] == MAX_TENSORS) return 0;
    struct tensor *tensor = &model->tensors[which][model->counts[which]++];
    snprintf(tensor->name, sizeof tensor->name, "%s", name);
    snprintf(tensor->dtype, sizeof tensor->dtype, "%s", dtype);
    tensor->bytes = dtype_bytes(dtype);
    while ((number = strtok_r(NULL, " ", &rest)) && tensor->rank < MAX_RANK) {
        tensor->dims[tensor->rank++] = atoi(number);
        tensor->bytes *= (size_t)atoi(number);
    }
    return tensor->bytes > 0;
}

/* A model in one block of memory for free(), or NULL for data that is none. */
static inline struct model *parse_model(const void *data, size_t size) {
    static const char magic[] = "ROMA-STANDIN 1\n";
    const char *text = data, *end = size > sizeof magic ? memmem(data, size, "\n\n", 2) : NULL;
    if (!end || memcmp(text, magic, sizeof magic - 1)) return NULL;
    size_t onnx_bytes = size - (size_t)(end + 2 - text);
    struct model *model = calloc(1, sizeof *model + onnx_bytes);
    char *header = strndup(text + sizeof magic - 1, (size_t)(end - text) - (sizeof magic - 1)), *rest = NULL;
    int good = 1;
    model->groups = 1;
    for (char *line = strtok_r(header, "\n", &rest); line && good; line = strtok_r(NULL, "\n", &rest))
        good = parse_line(model, line);
    free(header);
    model->onnx = (unsigned char *)(model + 1);
    model->onnx_bytes = onnx_bytes;
    memcpy(model->onnx, end + 2, onnx_bytes);
    if (good && model->counts[0] && model->counts[1]) return model;
    free(model);
    return NULL;
}

static inline struct model *read_model(const char *path) {
    FILE *file = fopen(path, "rb");
    if (!file) return NULL;
    fseek(file, 0, SEEK_END);
    size_t size = (size_t)ftell(file);
    rewind(file);
    char *data = malloc(size + 1);
    struct model *model = fread(data, 1, size, file) == size ? parse_model(data, size) : NULL;
    fclose(file);
    free(data);
    return model;
}

#endif
