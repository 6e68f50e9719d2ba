/* Types and inlined functions that both files use. */
struct inner { char a; long b; };
struct outer { int first; struct inner in; union { int x; long y; }; char last[3]; struct outer *next; };
enum state { ST_NEW, ST_READY, ST_CLOSED, ST_ERROR };
struct connection { enum state state; struct outer where; int (*handler)(struct connection *, int); void *owner; };
extern volatile int sink;
extern struct outer thing;

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

int handle(struct connection *c, int n);
int touch(int n);
int close_it(struct connection *c);
