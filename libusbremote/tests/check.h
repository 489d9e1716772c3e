/*
 * Cases of C tests, printed as TAP; and allocations, counted.
 *
 * SPDX-License-Identifier: MIT
 *
 * A program is linked with --wrap for malloc, calloc, realloc and free, so
 * that its own objects and the library's are counted.
 */

#ifndef CHECK_H
#define CHECK_H

#include <stdbool.h>
#include <stddef.h>

/** The condition holds; else the program ends and says where. */
#define CHECK(condition) \
    check(condition, __FILE__, __LINE__, "%s", #condition)

void check(bool ok, const char *file, int line, const char *format, ...);

/** One case; it fails as well if it leaves memory behind. */
void check_case(const char *name, void (*run)(size_t step), size_t step);

/** The plan; returns main()'s status. */
int check_done(void);

/** Calls of malloc(), calloc() and realloc() since the program began. */
size_t check_allocations(void);

/** Bytes that are allocated now. */
size_t check_bytes(void);

#endif
