/*
 * Cases of C tests, printed as TAP; and allocations, counted
 *
 * SPDX-License-Identifier: MIT
 */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "check.h"

/* The linker gives the names; it has them start so. */
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
void __wrap_free(void *old);
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void __real_free(void *old);

/* Before each block, and as large as an alignment. */
typedef union Before {
    size_t size;
    long double aligned;
    char bytes[16];
} Before;

static size_t allocations, bytes, cases;
static const char *running;

static void *counted(Before *block, size_t size)
{
    if (!block) {
        return NULL;
    }
    allocations++;
    bytes += size;
    block->size = size;
    return block + 1;
}

static Before *uncounted(void *block)
{
    Before *before = block ? (Before *)block - 1 : NULL;

    bytes -= before ? before->size : 0;
    return before;
}

void *__wrap_malloc(size_t size)
{
    return counted((Before *)__real_malloc(sizeof(Before) + size), size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return counted((Before *)__real_calloc(1, sizeof(Before) + count * size),
                   count * size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return counted((Before *)__real_realloc(uncounted(old),
                                            sizeof(Before) + size), size);
}

void __wrap_free(void *old)
{
    __real_free(uncounted(old));
}

size_t check_allocations(void)
{
    return allocations;
}

size_t check_bytes(void)
{
    return bytes;
}

void check(bool ok, const char *file, int line, const char *format, ...)
{
    va_list arguments;

    if (ok) {
        return;
    }
    printf("not ok %zu - %s\n# %s:%d: ", cases, running, file, line);
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    printf("\n");
    exit(1);
}

void check_case(const char *name, void (*run)(size_t step), size_t step)
{
    size_t before = bytes;
    char title[128];

    snprintf(title, sizeof(title), "%s%s", name,
             step == 1 ? ", byte by byte" : "");
    running = title;
    setvbuf(stdout, NULL, _IOLBF, 0);   /* a sanitizer may end it */
    cases++;
    run(step);
    CHECK(bytes == before);
    printf("ok %zu - %s\n", cases, title);
}

int check_done(void)
{
    printf("1..%zu\n", cases);
    return 0;
}
