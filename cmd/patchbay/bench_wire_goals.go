package main

import "fmt"

// goal is a figure made of two others, and what it should be.
type goal struct {
	*figure
	a, b  *figure
	of    func(a, b float64) float64
	least float64 // 0 for none
	most  float64 // 0 for none
}

// compare fills the goal's figure, run by run, and says whether there was
// something to compare.
func (g *goal) compare() bool {
	if len(g.a.samples) == 0 || len(g.a.samples) != len(g.b.samples) {
		return false
	}
	for i, a := range g.a.samples {
		g.add(g.of(a, g.b.samples[i]))
	}
	return true
}

// missed says by how much a goal was missed, and nothing when it was reached or
// not measured.
func (g *goal) missed() string {
	if len(g.samples) == 0 {
		return ""
	}
	switch v := g.median(); {
	case g.least != 0 && v < g.least:
		return fmt.Sprintf("%s is %.2f, less than the goal of %g", g.name, v, g.least)
	case g.most != 0 && v > g.most:
		return fmt.Sprintf("%s is %.2f, more than the goal of %g", g.name, v, g.most)
	}
	return ""
}

func quotient(a, b float64) float64 { return a / b }

func difference(a, b float64) float64 { return a - b }
