package vnet_test

import (
	"slices"
	"testing"
	"time"

	"github.com/patchbay/patchbay/vnet"
)

// The loop keeps off the CPU whose guests take most, and off none when there is
// little to take, or as much elsewhere.
func TestPlace(t *testing.T) {
	const many, few = 100 << 20, 1 << 10
	type load map[int]uint64 // bytes by the CPU of a guest; -1 is not pinned
	tests := []struct {
		name string
		load []load // each of one period
		want [][]int
	}{
		{"a stream", []load{{0: few, 1: many}}, [][]int{{0, 2}}},
		{"a stream that goes on", []load{{1: many}, {1: many}}, [][]int{{0, 2}}},
		{"one that turns", []load{{1: many}, {0: many}}, [][]int{{0, 2}, {1, 2}}},
		{"one that ends", []load{{1: many}, {1: few}}, [][]int{{0, 2}, {0, 1, 2}}},
		{"both ways", []load{{0: many, 1: many}}, nil},
		{"hardly any", []load{{1: few}}, nil},
		{"to whom no CPU is given", []load{{-1: many}}, nil},
		{"to a CPU that is not ours", []load{{7: many}}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got [][]int
			pl := vnet.NewPlace([]int{0, 1, 2}, func(cpus []int) { got = append(got, cpus) })
			now := int64(0)
			for _, period := range tt.load {
				for cpu, bytes := range period {
					pl.Took(cpu, bytes)
				}
				pl.Look(now) // the first time at once, then too early
				now += int64(time.Second)
				pl.Look(now - int64(time.Second) + 1)
			}
			if !slices.EqualFunc(got, tt.want, slices.Equal[[]int]) {
				t.Errorf("the thread was let on %v, want %v", got, tt.want)
			}
		})
	}
}
