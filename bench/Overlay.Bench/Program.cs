using System.Globalization;
using Overlay.Bench.Raft;

namespace Overlay.Bench;

/// <summary>The measuring program behind bench/run.sh: one verb a figure, the figure alone on standard output.</summary>
internal static class Program
{
    private const string Usage =
        """
        Usage: Overlay.Bench VERB ...
          attach-rpc LAB ROUNDS             attach by RPC
          attach-cli LAB ROUNDS OVERLAYD    attach by the executable
          create-to-ping-rpc LAB ROUNDS
          create-to-ping-cli LAB ROUNDS OVERLAYD
          fdb COUNT ROUNDS                  FDB and neighbour entries into a namespace of its own
          services COUNT BACKENDS ROUNDS    a sandbox's table of so many services
          service-change COUNT BACKENDS ROUNDS   one backend of one of them goes
          time ROUNDS COMMAND...            a command line, start to end
          first-reply NETNS ADDRESS         exits with the first echo reply
          raft-fill LAB TOOL OBJECTS        writes so many objects to a cluster of managers
          raft LAB TOOL FOLDER WRITTEN SECONDS KILLS   managers beside etcd: every figure by its name
        LAB is the lab's folder. Each prints a median in milliseconds.
        """;

    private static async Task<int> Main(string[] arguments)
    {
        try
        {
            switch (arguments)
            {
                case ["attach-rpc", string lab, string rounds]:
                    Print(await AttachFigures.AttachAsync(lab, int.Parse(rounds, CultureInfo.InvariantCulture), null));
                    return 0;
                case ["attach-cli", string lab, string rounds, string overlayd]:
                    Print(await AttachFigures.AttachAsync(lab, int.Parse(rounds, CultureInfo.InvariantCulture), overlayd));
                    return 0;
                case ["create-to-ping-rpc", string lab, string rounds]:
                    Print(await AttachFigures.CreateToPingAsync(
                        lab, int.Parse(rounds, CultureInfo.InvariantCulture), null));
                    return 0;
                case ["create-to-ping-cli", string lab, string rounds, string overlayd]:
                    Print(await AttachFigures.CreateToPingAsync(
                        lab, int.Parse(rounds, CultureInfo.InvariantCulture), overlayd));
                    return 0;
                case ["fdb", string count, string rounds]:
                    Print(ForwardingFigure.Measure(
                        int.Parse(count, CultureInfo.InvariantCulture), int.Parse(rounds, CultureInfo.InvariantCulture)));
                    return 0;
                case ["services" or "service-change", string count, string backends, string rounds]:
                    Print(ServicesFigure.Measure(
                        (int)Number(count), (int)Number(backends), (int)Number(rounds), oneChanges: arguments[0] == "service-change"));
                    return 0;
                case ["time", string rounds, .. string[] command] when command.Length > 0:
                    Print(TimedCommand.Median(int.Parse(rounds, CultureInfo.InvariantCulture), command));
                    return 0;
                case ["first-reply", string path, string address]:
                    FirstReply.Wait(path, address, TimeSpan.FromSeconds(30));
                    return 0;
                case ["raft-fill", string lab, string tool, string objects]:
                    await RaftSuite.FillAsync(lab, tool, (int)Number(objects));
                    return 0;
                case ["raft", string lab, string tool, string folder, string written, string seconds, string kills]:
                    await new RaftSuite(lab, tool, folder, TimeSpan.FromSeconds(Number(seconds)), (int)Number(kills))
                        .RunAsync((long)Number(written));
                    return 0;
                default:
                    await Console.Error.WriteLineAsync(Usage);
                    return 2;
            }
        }
        catch (Exception e)
        {
            // Whatever it was, the figure is missing, and the caller shall read why.
            await Console.Error.WriteLineAsync($"Overlay.Bench {string.Join(' ', arguments)}: {e.Message}");
            return 1;
        }
    }

    private static double Number(string text) => double.Parse(text, CultureInfo.InvariantCulture);

    private static void Print(Samples samples)
    {
        Console.Error.WriteLine(samples);
        Console.Out.WriteLine(samples.Median.ToString("0.0", CultureInfo.InvariantCulture));
    }
}
