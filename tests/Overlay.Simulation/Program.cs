Console.Error.WriteLine("Overlay.Simulation: no simulation exists yet.");
return 1;
