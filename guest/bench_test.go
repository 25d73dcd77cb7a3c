package guest_test

import (
	"slices"
	"testing"
	"time"

	"github.com/patchbay/patchbay/guest"
)

// BenchmarkBoot reports the medians of what passes from Start until the kernel
// is executed (jail), guestd says hello, the machine is set up (ready) and the
// first prompt is on the console (shell), in ms.
func BenchmarkBoot(b *testing.B) {
	for _, seccomp := range []bool{false, true} {
		b.Run(map[bool]string{false: "ptrace", true: "seccomp"}[seccomp], func(b *testing.B) {
			c := realConfig(b)
			if seccomp && !c.Kernel.Seccomp {
				b.Skipf("the kernel %s has no seccomp mode", c.Kernel.Name)
			}
			c.Seccomp = seccomp
			times := map[string][]time.Duration{}
			for b.Loop() {
				began := time.Now()
				g, err := guest.Start(b.Context(), c)
				if err != nil {
					b.Fatal(err)
				}
				note := func(name string) { times[name] = append(times[name], time.Since(began)) }
				times["jail"] = append(times["jail"], g.JailTime())
				screen, other := newScreen(g.Console(0)), newScreen(g.Console(1))
				shell := make(chan struct{})
				go func() {
					defer close(shell)
					if _, ok := screen.find(0, prompt); ok {
						note("shell")
					}
				}()
				if _, err := g.Agent().Hello(within(b)); err != nil {
					b.Fatal(err)
				}
				hello := time.Since(began)
				if _, err := g.Boot(within(b)); err != nil {
					b.Fatal(err)
				}
				ready := time.Since(began)
				<-shell
				g.Kill()
				<-screen.ended
				<-other.ended
				times["guestd"] = append(times["guestd"], hello)
				times["ready"] = append(times["ready"], ready)
			}
			if n := len(times["shell"]); n != len(times["ready"]) {
				b.Fatalf("only %d of %d guests showed a prompt", n, len(times["ready"]))
			}
			for name, list := range times {
				slices.Sort(list)
				b.ReportMetric(float64(list[len(list)/2].Microseconds())/1000, name+"_ms")
			}
		})
	}
}
