#include <stdio.h>
#include <stdlib.h>
#include "shared.h"

volatile int sink;
struct outer thing;

__attribute__((noinline, cold)) void rarely(const char *why)
{
	fprintf(stderr, "%s\n", why);
	abort();
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
	return touch(sum);
}

int main(int argc, char **argv)
{
	struct connection c = { ST_NEW, thing, handle, argv };

	if (argc > 100)
		rarely("many");
	return handle(&c, argc) + loops(argc) + (int)c.where.in.b;
}
