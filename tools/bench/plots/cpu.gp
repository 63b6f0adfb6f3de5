# CPU per event by contender, stacked by who spent it. $data: name, contender, kworker, kernel, origin, load, sum, least, most,
# above none.
set title "What an event costs: CPU of the whole machine, by who spends it" font ",17"
set label 1 caption at screen 0.02, screen 0.105 font ",10" textcolor rgb "#868e96"
set ylabel "CPU per event, us; in brackets: above none (lower is better)"
set style data histograms
set style histogram rowstacked
set style fill solid 0.95 border rgb "#ffffff"
set boxwidth 0.62
set xtics font ",12"
set yrange [0:*]
set offsets 0, 0, graph 0.45, 0
set key top left reverse Left invert samplen 1.5
plot $data using 2:xtic(1) title "the relay's processes" lc rgb "#0072b2", \
	"" using 3 title "kworkers, ksoftirqd" lc rgb "#56b4e9", \
	"" using 4 title "other kernel threads" lc rgb "#009e73", \
	"" using 5 title "origin" lc rgb "#adb5bd", \
	"" using 6 title "load" lc rgb "#dee2e6", \
	"" using 0:8:(0):($9 - $8) with vectors heads size screen 0.005, 90 fixed lc rgb "#343a40" lw 1.5 notitle, \
	"" using 0:9:(column(10) == 0 ? sprintf("%.1f", column(7)) : sprintf("%.1f\n(%+.1f)", column(7), column(10))) \
		with labels offset 0,1.2 font ",11" textcolor rgb "#212529" notitle
