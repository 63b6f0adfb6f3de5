# Latency percentiles by contender. $data: a block per contender: place on the axis, median, least, most (us).
set title "From the making of an event to its arrival" font ",17"
set label 1 caption at screen 0.02, screen 0.105 font ",10" textcolor rgb "#868e96"
set ylabel "latency, us (logarithmic; lower is better)"
set xlabel "share of the events that arrived sooner" offset 0,0.3
set logscale y
set format y "%.0f"
set xrange [-0.4:4.4]
set xtics ("half (p50)" 0, "90 %%" 1, "99 %%" 2, "99.9 %%" 3, "all (max)" 4)
set mytics 10
set grid ytics mytics lc rgb "#e9ecef" lt 1 lw 1, lc rgb "#f1f3f5" lt 1 lw 0.5
n = words(names)
shift(i) = (i - (n + 1) / 2.0) * 0.07
plot for [i=1:n] $data index (i - 1) using ($1 + shift(i)):3:(0):($4 - $3) with vectors heads size screen 0.005, 90 fixed lw 1.2 lc rgb color(word(names, i)) notitle, \
	for [i=1:n] $data index (i - 1) using ($1 + shift(i)):2 with linespoints title word(names, i) \
		lw 2.2 ps 0.8 pt point(word(names, i)) lc rgb color(word(names, i))
