"""All rows of the benchmark, in the order of the table."""
import kernel_rows
import model_rows
import plan_rows
import quantized_rows
import text_rows


def all_rows():
    return [row for family in (kernel_rows, quantized_rows, model_rows, text_rows, plan_rows) for row in family.rows()]
