/*
 * A program that leaks: does LeakSanitizer work on this machine?
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include <stdlib.h>

static void *volatile kept;

static void leaks(void)
{
    kept = malloc(100);
}

int main(int argc, char **argv)
{
    (void)argv;
    leaks();
    if (argc > 1) {
        kept = NULL;
    }
    return 0;
}
