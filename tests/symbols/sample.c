/* Functions of every shape that a backtrace meets. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct inner { char a; long b; };
struct outer { int first; struct inner in; union { int x; long y; }; char last[3]; };

static volatile int sink;
struct outer thing;

static inline __attribute__((always_inline)) int twice(int n)
{
	sink += n;
	return n * 2;
}

static inline __attribute__((always_inline)) int four_times(int n)
{
	int once = twice(n);

	sink--;
	return twice(once);
}

__attribute__((noinline)) int loops(int n)
{
	int sum = 0;

	for (int i = 0; i < n; i++) {
		if (i & 1)
			sum += four_times(i);
		else
			sum -= twice(sum);
	}
	return sum;
}

__attribute__((noinline, cold)) void rarely(const char *why)
{
	fprintf(stderr, "%s\n", why);
	abort();
}

__attribute__((noinline)) int branches(int n)
{
	switch (n) {
	case 0: return loops(1);
	case 1: return four_times(n);
	case 2: rarely("two");
	case 3: return twice(loops(n));
	default: break;
	}
	if (__builtin_expect(n > 1000, 0)) {
		sink = 9;
		rarely("many");
	}
	return n + thing.first + (int)thing.in.b;
}

#line 500 "included.h"
static __attribute__((noinline)) int elsewhere(int n)
{
	sink = four_times(n);
	return n;
}
#line 70 "sample.c"

int main(int argc, char **argv)
{
	if (argc > 100)
		elsewhere(argc);
	return branches(argc) + (int)strlen(argv[0]) + elsewhere(1);
}
