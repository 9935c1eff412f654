using System.Globalization;

namespace Overlay.Simulation.Gossip;

/// <summary>Prints figures: name, value, unit and, where there is one, the anchor's value and name; separated by tabs.</summary>
internal static class Figure
{
    public static void Print(string name, double value, string unit, string anchor = "", string anchorName = "")
    {
        string number = value.ToString(Math.Abs(value) >= 100 ? "0" : "0.###", CultureInfo.InvariantCulture);
        Console.WriteLine(anchor.Length == 0 ? $"{name}\t{number}\t{unit}" : $"{name}\t{number}\t{unit}\t{anchor}\t{anchorName}");
    }

    public static double Percentile(List<double> values, double share)
    {
        if (values.Count == 0)
        {
            return double.NaN;
        }

        values.Sort();
        return values[(int)Math.Min(values.Count - 1, Math.Floor(share * values.Count))];
    }
}
