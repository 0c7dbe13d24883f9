/* Types and numbers of the on-board interface (libax_sys, libax_engine), 64-bit, for AX650N and AX620E alike. */
#ifndef STANDIN_AX_TYPES_H
#define STANDIN_AX_TYPES_H

#include <stdint.h>

/* 0x80000000 | module << 16 | part << 8 | cause */
enum {
    CMM_ILLEGAL = (int32_t)0x800B000A,
    CMM_NULL = (int32_t)0x800B000B,
    CMM_NOT_READY = (int32_t)0x800B0010,
    SYS_NOT_READY = (int32_t)0x800B0010,
    SYS_NO_TIMER = (int32_t)0x800B0210,
    CMM_NO_MEMORY = (int32_t)0x800B0018,
    CMM_MUNMAP_FAIL = (int32_t)0x800B0081,
    CMM_FREE_FAIL = (int32_t)0x800B0082,
    NPU_ILLEGAL = (int32_t)0x8006000A,
    NPU_NULL = (int32_t)0x8006000B,
    NPU_BUSY = (int32_t)0x80060011,
    NPU_NOT_INIT = (int32_t)0x80060012,
    NPU_NOT_SUPPORTED = (int32_t)0x80060014,
    NPU_NOT_PERMITTED = (int32_t)0x80060015,
    NPU_NO_SUCH = (int32_t)0x80060017,
    NPU_NO_MEMORY = (int32_t)0x80060018,
    NPU_TIMED_OUT = (int32_t)0x80060027,
    NPU_UNKNOWN = (int32_t)0x80060029,
};

enum { MEM_CACHED = 2, MEM_NONCACHED = 4 };

typedef struct { int32_t eHardMode; uint32_t reserve[8]; } NPU_ATTR;
typedef struct { uint32_t nNpuSet; int8_t *pName; uint32_t reserve[8]; } HANDLE_EXTRA;
typedef struct { int32_t eColorSpace; uint64_t u64Reserved[18]; } IOMETA_EX;

typedef struct {
    char *pName;
    int32_t *pShape;
    uint8_t nShapeSize;
    int32_t eLayout, eMemoryType, eDataType;
    IOMETA_EX *pExtraMeta;
    uint32_t nSize, nQuantizationValue;
    int32_t *pStride;
    uint64_t u64Reserved[9];
} IOMETA;

typedef struct {
    IOMETA *pInputs;
    uint32_t nInputSize;
    IOMETA *pOutputs;
    uint32_t nOutputSize, nMaxBatchSize;
    int32_t bDynamicBatchSize;
    uint64_t u64Reserved[11];
} IO_INFO;

typedef struct {
    uint64_t phyAddr;
    void *pVirAddr;
    uint32_t nSize;
    int32_t *pStride;
    uint8_t nStrideSize;
    uint64_t u64Reserved[11];
} IO_BUFFER;

typedef struct { uint32_t nWbtIndex; uint64_t u64Reserved[7]; } IO_SETTING;

typedef struct {
    IO_BUFFER *pInputs;
    uint32_t nInputSize;
    IO_BUFFER *pOutputs;
    uint32_t nOutputSize, nBatchSize;
    IO_SETTING *pIoSetting;
    uint32_t nParallelRun; /* AX650 only: part of the reserve on AX620E */
    uint64_t u64Reserved[10];
} IO;

typedef struct { uint32_t nCMMSize; } CMM_INFO;
typedef struct { uint64_t PhysAddr; uint32_t SizeKB; int8_t Name[32]; } PARTITION_INFO;
typedef struct { uint32_t PartitionCnt; PARTITION_INFO PartitionInfo[16]; } CMM_PARTITION_INFO;
typedef struct { uint32_t TotalSize, RemainSize, BlockCnt; CMM_PARTITION_INFO Partition; } CMM_STATUS;

_Static_assert(sizeof(NPU_ATTR) == 36 && sizeof(HANDLE_EXTRA) == 48 && sizeof(IOMETA_EX) == 152, "layout");
_Static_assert(sizeof(IOMETA) == 128 && sizeof(IO_INFO) == 128 && sizeof(IO_BUFFER) == 128, "layout");
_Static_assert(sizeof(IO_SETTING) == 64 && sizeof(IO) == 128 && sizeof(CMM_INFO) == 4, "layout");
_Static_assert(sizeof(CMM_PARTITION_INFO) == 776 && sizeof(CMM_STATUS) == 792, "layout");

#endif
