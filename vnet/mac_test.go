package vnet_test

import (
	"math/rand/v2"
	"testing"

	"github.com/patchbay/patchbay/vnet"
)

// The table against a map, through many random learnings, flushes and agings.
func TestMACTable(t *testing.T) {
	type known struct {
		port int32
		seen uint32
	}
	const (
		limit = 64
		age   = 50
	)
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 1))
		table, model := vnet.NewMACTable(limit, age), map[uint64]known{}
		table.Unseed(r)
		expire := func(now uint32) {
			for a, k := range model {
				if now-k.seen > age {
					delete(model, a)
				}
			}
		}
		now := uint32(1)
		for range 3000 {
			a := r.Uint64N(100) << (8 * r.Uint64N(3))
			port := int32(r.IntN(5))
			switch r.IntN(20) {
			case 0:
				table.Flush(port)
				for a, k := range model {
					if k.port == port {
						delete(model, a)
					}
				}
			case 1:
				now += r.Uint32N(age / 2)
				table.Expire(now)
				expire(now)
			default:
				now++ // so that a full table may sweep each time
				_, old := model[a]
				if !old && len(model) >= limit {
					expire(now)
				}
				room := old || len(model) < limit
				if got := table.Learn(a, port, now); got != room {
					t.Fatalf("seed %d: Learn(%x) = %v with %d known; want %v", seed, a, got, len(model), room)
				}
				if room {
					model[a] = known{port, now}
				}
			}
			if table.Len() != len(model) {
				t.Fatalf("seed %d: %d known; want %d", seed, table.Len(), len(model))
			}
			for range 5 {
				a := r.Uint64N(100) << (8 * r.Uint64N(3))
				want := int32(-1)
				if k, ok := model[a]; ok && now-k.seen <= age {
					want = k.port
				}
				if got := table.Lookup(a, now); got != want {
					t.Fatalf("seed %d: Lookup(%x) = %d; want %d", seed, a, got, want)
				}
			}
		}
		for a := range model {
			table.Flush(model[a].port)
		}
		if table.Len() != 0 {
			t.Fatalf("seed %d: %d known after flushing every port", seed, table.Len())
		}
	}
}
