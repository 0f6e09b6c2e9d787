# Area: cli
cli-setup-done = Verze { $version } je nainstalovaná. Spustíte ji příkazem: obnova up
cli-installed = { $name }, verze { $version }
cli-updating = Právě se aktualizuje na verzi { $version }.
cli-rolling-back = Aktualizace na verzi { $version } se nezdařila, vše se vrací do předchozího stavu.
cli-serving = Aplikace je v provozu.
cli-holding = Požadavky jsou pozdrženy.
cli-never-checked = Úložiště vydání ještě nebylo zkontrolováno: obnova check
cli-nothing-newer = Novější verze není k dispozici.
cli-offered = K instalaci je připravena verze { $version }: obnova install
cli-disk = Disk: potřeba nejvýše { $needed }, volných { $free }.
cli-step-failed = Selhalo: { $step }. Vše se vrací do předchozího stavu.
cli-step-undone = Vráceno: { $step }
cli-completed = Aktualizace je nainstalovaná. Požadavky byly pozdrženy na { $blackout }.
cli-no-history = Zatím nic nebylo aktualizováno.
cli-outcome-running = probíhá
cli-outcome-completed = nainstalováno
cli-outcome-rolled-back = vráceno do předchozího stavu
