/* How a peer that does what the lines of its standard input say answers them, a line each. */
#include <stdio.h>
#include <stdlib.h>

static inline void answer(const char *text)
{
    printf("%s\n", text);
    fflush(stdout);
}

static inline void answer_error(void)
{
    printf("error %lu\n", GetLastError());
    fflush(stdout);
}

static inline void answer_done(BOOL done)
{
    if (done)
        answer("done");
    else
        answer_error();
}

/* The input makes no sense: that ends the program, and the case. */
static inline void refuse(const char *what)
{
    fprintf(stderr, "what is \"%s\"?\n", what);
    exit(2);
}
