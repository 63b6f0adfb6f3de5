# Memory of an idle stream by contender. $data: name, user KiB, kernel KiB.
set title "What an idle stream holds in memory" font ",17"
set label 1 caption at screen 0.02, screen 0.105 font ",10" textcolor rgb "#868e96"
set ylabel "KiB per stream (lower is better)"
set style data histograms
set style histogram rowstacked
set style fill solid 0.95 border rgb "#ffffff"
set boxwidth 0.5
set yrange [0:*]
set offsets 0, 0, graph 0.25, 0
plot $data using 2:xtic(1) title "user: the relay's processes (PSS)" lc rgb "#0072b2", \
	"" using 3 title "kernel: slab and socket memory, above none" lc rgb "#adb5bd", \
	"" using 0:($2 + $3):(sprintf("%.1f KiB", $2 + $3)) with labels offset 0,0.8 font ",12" textcolor rgb "#212529" notitle
