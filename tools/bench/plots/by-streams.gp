# CPU per event above none against the number of streams. $data: a block per contender: streams, median, least, most, model.
set title "What an event costs as streams grow: CPU above no relay at all" font ",17"
set label 1 caption at screen 0.02, screen 0.105 font ",10" textcolor rgb "#868e96"
set xlabel "streams (logarithmic)" offset 0,0.3
set ylabel "CPU per event above none, us (lower is better)"
stats $data using 1 nooutput
set xrange [STATS_min / 1.25:STATS_max * 1.25]
set logscale x
set offsets 0, 0, graph 0.3, 0
set yrange [*<0:*]
n = words(names)
plot for [i=1:n] $data index (i - 1) using 1:5:xtic(sprintf("%g", $1)) with lines dt (6, 5) lw 1.3 lc rgb color(word(names, i)) notitle, \
	for [i=1:n] $data index (i - 1) using 1:3:(0):($4 - $3) with vectors heads size screen 0.005, 90 fixed lw 1.2 lc rgb color(word(names, i)) notitle, \
	for [i=1:n] $data index (i - 1) using 1:2 smooth unique with linespoints title word(names, i) \
		lw 2.2 ps 0.8 pt point(word(names, i)) lc rgb color(word(names, i))
