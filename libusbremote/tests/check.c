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

static size_t allocations, blocks, cases;
static const char *running;

void *__wrap_malloc(size_t size)
{
    allocations++;
    blocks++;
    return __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    allocations++;
    blocks++;
    return __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    allocations++;
    blocks += !old;
    return __real_realloc(old, size);
}

void __wrap_free(void *old)
{
    blocks -= old != NULL;
    __real_free(old);
}

size_t check_allocations(void)
{
    return allocations;
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
    size_t before = blocks;
    char title[128];

    snprintf(title, sizeof(title), "%s%s", name,
             step == 1 ? ", byte by byte" : "");
    running = title;
    setvbuf(stdout, NULL, _IOLBF, 0);   /* a sanitizer may end it */
    cases++;
    run(step);
    CHECK(blocks == before);
    printf("ok %zu - %s\n", cases, title);
}

int check_done(void)
{
    printf("1..%zu\n", cases);
    return 0;
}
