#include <stdlib.h>
#include "shared.h"

static __attribute__((noinline)) int grow(struct connection *c, int n)
{
	c->where.first += four_times(n);
	if (__builtin_expect(n > 1000, 0)) {
		sink = 9;
		abort();
	}
	return c->where.first;
}

__attribute__((noinline)) int close_it(struct connection *c)
{
	c->state = ST_CLOSED;
	return twice(c->where.first);
}

int touch(int n)
{
	sink -= n;
	return n ^ sink;
}

int handle(struct connection *c, int n)
{
	if (n == 7)
		return c->handler(c, n - 1);
	sink = grow(c, n) + grow(c, n + 1);
	return close_it(c);
}
