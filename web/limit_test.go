package web_test

import (
	"strconv"
	"testing"

	"github.com/patchbay/patchbay/web"
)

func TestLimiter(t *testing.T) {
	l := web.NewLimiter(0.001, 3)
	for i := range 3 {
		if !l.Allow("a") {
			t.Fatalf("call %d of 3 is refused", i+1)
		}
	}
	if l.Allow("a") {
		t.Error("the fourth call is allowed")
	}
	if !l.Allow("b") {
		t.Error("one key's calls count for another")
	}
}

func TestLimiterIsBounded(t *testing.T) {
	l := web.NewLimiter(0.001, 1)
	for i := range 3 * web.MaxLimited {
		l.Allow(strconv.Itoa(i))
		if n := l.Size(); n > web.MaxLimited {
			t.Fatalf("after %d keys it remembers %d; want at most %d", i+1, n, web.MaxLimited)
		}
	}
}
